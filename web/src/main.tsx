import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { takeFromAddress } from "./app/auth";
import { finishOidc } from "./app/oidc";
import { applyTheme } from "./app/theme";
import "./styles.css";

applyTheme();
takeFromAddress();
const problem = await finishOidc();
createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App problem={problem} />
  </StrictMode>,
);
if ("serviceWorker" in navigator && import.meta.env.PROD) void navigator.serviceWorker.register("/service-worker.js").catch(() => undefined);
