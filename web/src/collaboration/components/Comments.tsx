import { useId, useMemo, useRef, useState, type FormEvent } from "react";
import { instant } from "../../ui/format";
import { newId, type Comment } from "../core";
import { useSelected, useSignal } from "../hooks";
import { useSession } from "../provider";
import { useAction } from "./actions";
import { Avatar } from "./marks";
import { useWorkspace } from "./workspace";

/** Names the draft of a comment: on the session, on a record, or a reply to one of those. */
const draftName = (recordId: string | undefined, parentId?: string): string => `${recordId ?? ""} ${parentId ?? ""}`;

/** Comments on a record, or on the session: threads, with replies and mentions. */
export function Comments({ recordId }: { recordId?: string }) {
  const session = useSession();
  const all = useSignal(session.comments);
  const threads = useMemo(() => {
    // Live ones may have come before older ones were loaded.
    const here = [...all.values()].filter((comment) => comment.record_id === (recordId ?? null)).sort((a, b) => a.at.localeCompare(b.at));
    const top = here.filter((comment) => comment.parent_id === null || !all.has(comment.parent_id));
    return top.map((comment) => ({ comment, replies: here.filter((reply) => reply.parent_id === comment.comment_id) }));
  }, [all, recordId]);
  return (
    <div className="comments">
      {threads.length === 0 && <p className="empty">No comments yet. Ask, explain, or name somebody with @.</p>}
      <ul className="plain">
        {threads.map((thread) => <Thread key={thread.comment.comment_id} {...thread} {...(recordId ? { recordId } : {})} />)}
      </ul>
      <Write key={recordId} {...(recordId ? { recordId } : {})} />
    </div>
  );
}

function Thread({ comment, replies, recordId }: { comment: Comment; replies: readonly Comment[]; recordId?: string }) {
  const session = useSession();
  const act = useAction();
  const name = draftName(recordId, comment.comment_id);
  const replying = useSelected(session.drafts.comments.all, (all) => all.has(name));
  return (
    <li className={comment.resolved ? "settled" : ""}>
      <Said comment={comment} />
      <ul className="plain replies">
        {replies.map((reply) => <li key={reply.comment_id}><Said comment={reply} /></li>)}
      </ul>
      <div className="actions">
        {!replying && (
          <button type="button" className="button quiet" onClick={() => session.drafts.comments.set(name, { text: "", request_id: newId() })}>Reply</button>
        )}
        {!comment.resolved && (
          <button type="button" className="button quiet" onClick={() => void act("resolve_comment", { comment_id: comment.comment_id }, "The comment is settled.")}>Settled</button>
        )}
      </div>
      {replying && <Write {...(recordId ? { recordId } : {})} replyTo={comment} />}
    </li>
  );
}

/** Whom a text names with @: of several whose names begin alike the one whose name is there as a whole. */
export function mentioned(text: string, people: readonly (readonly [id: string, name: string])[]): string[] {
  const found = new Set<string>();
  for (const { index } of text.matchAll(/@/g)) {
    const rest = text.slice(index + 1);
    const named = people.filter(([, name]) => rest.startsWith(name) && !/^[\p{L}\p{N}]/u.test(rest.slice(name.length)));
    const longest = Math.max(...named.map(([, name]) => name.length));
    for (const [id, name] of named) if (name.length === longest) found.add(id);
  }
  return [...found];
}

function Said({ comment }: { comment: Comment }) {
  return (
    <article className="comment">
      <Avatar user_id={comment.user_id} name={comment.name} />
      <div>
        <header><b>{comment.name}</b> <time className="muted small" dateTime={comment.at}>{instant(comment.at)}</time>{comment.resolved && <span className="small"> · settled</span>}</header>
        <p>{comment.text}</p>
      </div>
    </article>
  );
}

/** Where a comment is written. What was begun stays with what it is about, whatever is shown meanwhile. */
function Write({ recordId, replyTo }: { recordId?: string; replyTo?: Comment }) {
  const session = useSession();
  const workspace = useWorkspace();
  const members = useSignal(session.members);
  const names = useSignal(session.names);
  const name = draftName(recordId, replyTo?.comment_id);
  const draft = useSelected(session.drafts.comments.all, (all) => all.get(name));
  const text = draft?.text ?? "";
  const [sending, setSending] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const id = useId();
  const people = [...names].filter(([id]) => id !== session.user_id && id !== "system");
  const typed = /@(\p{L}*)$/u.exec(text)?.[1]?.toLowerCase();
  const offered = typed === undefined ? [] : people.filter(([, name]) => name.toLowerCase().startsWith(typed)).slice(0, 5);
  // An empty reply is one that was opened; an empty comment is none.
  const write = (next: string) => session.drafts.comments.set(name, next || replyTo ? { text: next, request_id: newId() } : undefined);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (sending || !draft || text.trim() === "") return; // by keyboard that is possible all the same
    setSending(true);
    const mentions = mentioned(text, people);
    const answer = await session
      .comment(text.trim(), {
        request_id: draft.request_id,
        ...(recordId ? { record_id: recordId } : {}), ...(replyTo ? { parent_id: replyTo.comment_id } : {}), ...(mentions.length ? { mentions } : {}),
      })
      .catch(() => undefined);
    setSending(false);
    if (answer?.ok) {
      // What was typed after it was sent is another comment.
      if (session.drafts.comments.get(name)?.request_id === draft.request_id) session.drafts.comments.set(name, undefined);
    } else workspace.toast("bad", answer ? answer.error.message : "Not sent: there is no connection. Your text is still here.");
  };
  return (
    <form className="stack" onSubmit={(event) => void send(event)}>
      <label htmlFor={id}>
        {replyTo ? `Reply to ${replyTo.name}` : recordId ? `Comment on ${session.records.get(recordId)?.external_id ?? recordId}` : "Comment"}
      </label>
      <textarea ref={area} id={id} rows={3} value={text} maxLength={4_000}
        onChange={(event) => write(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.form?.requestSubmit();
        }} />
      {offered.length > 0 && (
        <div className="actions" role="group" aria-label="People to mention">
          {offered.map(([id, name]) => (
            <button key={id} type="button" className="button" onClick={() => {
              write(text.replace(/@\p{L}*$/u, `@${name} `));
              area.current?.focus();
            }}>@{name}{members.has(id) ? "" : " (away)"}</button>
          ))}
        </div>
      )}
      <div className="actions">
        <button type="submit" className="button primary" disabled={sending || text.trim() === ""}>Send</button>
        {replyTo && <button type="button" className="button" onClick={() => session.drafts.comments.set(name, undefined)}>Cancel</button>}
      </div>
    </form>
  );
}
