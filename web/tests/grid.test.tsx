// The grid on the fake server: who has the keyboard, and what becomes of what is typed into a cell.
import { act, cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MemoryEditStorage, shown, type CollaborationSession } from "../src/collaboration/core";
import { UnlistedUnsaved } from "../src/collaboration/components/marks";
import { RecordGrid } from "../src/collaboration/components/RecordGrid";
import { Workspace, WorkspaceContext } from "../src/collaboration/components/workspace";
import { SessionProvider } from "../src/collaboration/provider";
import { FakeServer } from "./fakeServer";

const ROWS = 200;
let server: FakeServer;
let session: CollaborationSession;

beforeEach(async () => {
  // Room for a dozen rows: jsdom lays nothing out.
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(432);
  vi.spyOn(Element.prototype, "clientWidth", "get").mockReturnValue(1_440);
  server = new FakeServer(ROWS);
  session = server.client("alice", new MemoryEditStorage());
  session.start();
  await session.loading.when((loading) => loading.state === "done");
  const ids = Array.from({ length: ROWS }, (_, n) => `ledger:${n + 1}`);
  render(
    <WorkspaceContext value={new Workspace()}>
      <SessionProvider session={session}>
        <input aria-label="Search" />
        <RecordGrid ids={ids} sort={undefined} onSort={() => undefined} selected={undefined} onSelect={() => undefined} readOnly={false} />
      </SessionProvider>
    </WorkspaceContext>,
  );
  await waitFor(() => expect(amount(1)).toBeTruthy());
});

afterEach(() => {
  cleanup();
  session.stop();
  vi.restoreAllMocks();
});

const amount = (n: number) => document.querySelector<HTMLElement>(`[data-record="ledger:${n}"] [data-field="amount"]`)!;
const editor = () => screen.getByLabelText<HTMLInputElement>("Amount");
const sent = () => server.received.filter(({ event }) => event === "edit").map(({ body }) => body.new_value);
const held = (n: number) => shown(session.records.get(`ledger:${n}`)!, "amount");
const scrollTo = async (top: number) => {
  const grid = screen.getByRole("grid");
  grid.scrollTop = top;
  fireEvent.scroll(grid);
  await waitFor(() => expect(amount(top === 0 ? 1 : Math.ceil(top / 36) + 1)).toBeTruthy());
};

describe("the keyboard", () => {
  it("stays where the person put it when the row that had it comes back into view", async () => {
    const user = userEvent.setup();
    await user.click(amount(1));
    await scrollTo(3_600);
    expect(amount(1)).toBeNull();
    const search = screen.getByLabelText<HTMLInputElement>("Search");
    await user.click(search);
    await user.keyboard("Mu");
    await scrollTo(0);
    await user.keyboard("e");
    expect(search.value).toBe("Mue");
    expect(document.activeElement).toBe(search);
    expect(held(1)).toBe("10.00");
  });

  it("is taken up again by the row that had it when it is nowhere else", async () => {
    const user = userEvent.setup();
    await user.click(amount(1));
    await scrollTo(3_600);
    await scrollTo(0);
    await waitFor(() => expect(document.activeElement).toBe(amount(1)));
  });

  it("that leaves a cell out of view takes what was typed there to the server, as it does within view", async () => {
    const user = userEvent.setup();
    await user.dblClick(amount(1));
    await user.keyboard("12");
    await scrollTo(3_600);
    await user.click(screen.getByLabelText("Search"));
    await scrollTo(0);
    expect(screen.queryByLabelText("Amount")).toBeNull();
    await session.edits.verdicts.when((verdicts) => verdicts.length === 1);
    expect(sent()).toEqual(["12"]);
  });
});

it("a record with unsaved changes says so in its row", () => {
  expect(screen.queryByText("Unsaved")).toBeNull();
  act(() => session.drafts.fields.set("ledger:2", { notes: { text: "half a", base_version: 0 } }));
  expect(screen.getByText("Unsaved").closest("[data-record]")!.getAttribute("data-record")).toBe("ledger:2");
});

it("unsaved changes of a record that the list leaves out are counted, and opened from there", async () => {
  const opened: string[] = [];
  const list = (ids: string[]) => (
    <SessionProvider session={session}><UnlistedUnsaved ids={ids} onSelect={(id) => opened.push(id)} /></SessionProvider>
  );
  const { rerender } = render(list(["ledger:2"]));
  const told = () => screen.queryByRole("button", { name: /unsaved, not listed/ })?.textContent;
  const begin = (id: string) => act(() => session.drafts.fields.set(id, { notes: { text: "half a", base_version: 0 } }));
  begin("ledger:2");
  begin("ledger:gone");
  expect(told()).toBeUndefined();
  begin("ledger:3");
  expect(told()).toBe("1 unsaved, not listed");
  rerender(list([]));
  expect(told()).toBe("2 unsaved, not listed");
  await userEvent.setup().click(screen.getByRole("button", { name: /unsaved, not listed/ }));
  expect(opened).toEqual(["ledger:2"]);
  act(() => session.drafts.fields.set("ledger:2", undefined));
  expect(told()).toBe("1 unsaved, not listed");
});

describe("a cell that is edited", () => {
  it("stays open with what was typed while the person is in another window", async () => {
    const user = userEvent.setup();
    await user.dblClick(amount(1));
    await user.keyboard("12");
    fireEvent.blur(editor()); // the window's: the field has the keyboard still
    expect(editor().value).toBe("12");
    expect(held(1)).toBe("10.00");
    await user.keyboard(".5{Enter}");
    await session.edits.verdicts.when((verdicts) => verdicts.length === 1);
    expect(sent()).toEqual(["12.5"]);
  });

  it("sends nothing when nothing was changed in it, whatever others have set meanwhile", async () => {
    const user = userEvent.setup();
    await user.dblClick(amount(1));
    await act(async () => {
      server.editBy("bob", "ledger:1", "amount", "11.00");
      await session.seq.when((seq) => seq === server.seq);
    });
    await user.click(amount(2));
    expect(held(1)).toBe("11.00");
    expect(session.edits.queued.get()).toEqual([]);
    expect(sent()).toEqual([]);
  });

  it("keeps what was typed, and the version it was typed over, when one double-clicks in it", async () => {
    const user = userEvent.setup();
    await user.dblClick(amount(1));
    await user.keyboard("12");
    await act(async () => {
      server.editBy("bob", "ledger:1", "amount", "11.00");
      await session.seq.when((seq) => seq === server.seq);
    });
    await user.dblClick(editor());
    expect(editor().value).toBe("12");
    await user.keyboard("{Enter}");
    const [verdict] = await session.edits.verdicts.when((verdicts) => verdicts.length === 1);
    expect(verdict!.kind).toBe("conflict");
  });
});
