import { useMemo, useRef, useState, type FormEvent } from "react";
import { instant } from "../../ui/format";
import { newId, type Comment } from "../core";
import { useSignal } from "../hooks";
import { useSession } from "../provider";
import { useAction } from "./actions";
import { Avatar } from "./marks";
import { useWorkspace } from "./workspace";

/** Comments on a record, or on the session: threads, with replies and mentions. */
export function Comments({ recordId }: { recordId?: string }) {
  const session = useSession();
  const act = useAction();
  const all = useSignal(session.comments);
  const [replyTo, setReplyTo] = useState<string>();
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
        {threads.map(({ comment, replies }) => (
          <li key={comment.comment_id} className={comment.resolved ? "settled" : ""}>
            <Said comment={comment} />
            <ul className="plain replies">
              {replies.map((reply) => <li key={reply.comment_id}><Said comment={reply} /></li>)}
            </ul>
            <div className="actions">
              <button type="button" className="button quiet" onClick={() => setReplyTo(comment.comment_id)}>Reply</button>
              {!comment.resolved && (
                <button type="button" className="button quiet" onClick={() => void act("resolve_comment", { comment_id: comment.comment_id }, "The comment is settled.")}>Settled</button>
              )}
            </div>
            {replyTo === comment.comment_id && (
              <Write {...(recordId ? { recordId } : {})} parentId={comment.comment_id} onDone={() => setReplyTo(undefined)} />
            )}
          </li>
        ))}
      </ul>
      {replyTo === undefined && <Write {...(recordId ? { recordId } : {})} />}
    </div>
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

function Write({ recordId, parentId, onDone }: { recordId?: string; parentId?: string; onDone?: () => void }) {
  const session = useSession();
  const workspace = useWorkspace();
  const members = useSignal(session.members);
  const names = useSignal(session.names);
  const [text, setText] = useState("");
  const [sending, setSending] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  /** Of this text: sent once more after an answer that was lost, it is the same comment. */
  const id = useRef(newId());
  const people = [...names].filter(([id]) => id !== session.user_id && id !== "system");
  const typed = /@(\p{L}*)$/u.exec(text)?.[1]?.toLowerCase();
  const offered = typed === undefined ? [] : people.filter(([, name]) => name.toLowerCase().startsWith(typed)).slice(0, 5);
  const write = (next: string) => {
    setText(next);
    id.current = newId();
  };
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (sending || text.trim() === "") return; // by keyboard that is possible all the same
    setSending(true);
    const mentions = mentioned(text, people);
    const answer = await session
      .comment(text.trim(), {
        request_id: id.current,
        ...(recordId ? { record_id: recordId } : {}), ...(parentId ? { parent_id: parentId } : {}), ...(mentions.length ? { mentions } : {}),
      })
      .catch(() => undefined);
    setSending(false);
    if (answer?.ok) {
      write("");
      onDone?.();
    } else workspace.toast("bad", answer ? answer.error.message : "Not sent: there is no connection. Your text is still here.");
  };
  return (
    <form className="stack" onSubmit={(event) => void send(event)}>
      <label htmlFor={`comment-${parentId ?? "new"}`}>{parentId ? "Reply" : "Comment"}</label>
      <textarea ref={area} id={`comment-${parentId ?? "new"}`} rows={3} value={text} maxLength={4_000}
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
        {onDone && <button type="button" className="button" onClick={onDone}>Cancel</button>}
      </div>
    </form>
  );
}
