import { configure } from "@testing-library/react";

// A machine may be busy: what never comes fails all the same.
configure({ asyncUtilTimeout: 30_000 });

// What jsdom does not have of browsers.
if (typeof HTMLDialogElement !== "undefined") {
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function () {
    this.open = false;
  };
}
if (typeof Element !== "undefined") Element.prototype.scrollIntoView = () => undefined;
