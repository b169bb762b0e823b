import type { Page, RecordsPage, Refusal } from "./contract";

/** A refusal of the HTTP interface (problem+json), or that it could not be reached (`unavailable`). */
export class RestError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

export interface RestOptions {
  url?: string;
  token: () => Promise<string>;
}

export type Query = Record<string, string | number | undefined>;

/** The HTTP interface: JSON in, JSON out, refusals as `RestError`. */
export class Rest {
  readonly #url: string;
  readonly #token: () => Promise<string>;

  constructor({ url = "", token }: RestOptions) {
    this.#url = `${url}/api/collaboration`;
    this.#token = token;
  }

  get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
    return this.send<T>("GET", path, { query, ...(signal ? { signal } : {}) });
  }

  post<T>(path: string, body: unknown, headers: Record<string, string> = {}, query: Query = {}): Promise<T> {
    const raw = body instanceof Blob || typeof body === "string";
    return this.send<T>("POST", path, {
      query,
      body: raw ? body : JSON.stringify(body),
      headers: { ...(raw ? {} : { "Content-Type": "application/json" }), ...headers },
    });
  }

  /** JSON in, JSON out. */
  write<T>(method: "PUT" | "PATCH" | "POST", path: string, body: unknown): Promise<T> {
    return this.send<T>(method, path, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  }

  async send<T>(
    method: string,
    path: string,
    options: { query?: Query; body?: BodyInit; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<T> {
    const { body, headers, signal } = options;
    const response = await this.fetch(method, path, options.query ?? {}, {
      ...(body === undefined ? {} : { body }),
      headers: headers ?? {},
      ...(signal ? { signal } : {}),
    });
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  /** The answer as it is, for files. */
  async fetch(method: string, path: string, query: Query = {}, init: RequestInit = {}): Promise<Response> {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
    const tail = parameters.size > 0 ? `?${parameters}` : "";
    let response: Response;
    try {
      response = await fetch(`${this.#url}${path}${tail}`, {
        ...init,
        method,
        headers: { ...(init.headers as Record<string, string>), Authorization: `Bearer ${await this.#token()}` },
      });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new RestError({ code: "unavailable", message: "The server cannot be reached.", retryable: true });
    }
    if (!response.ok) throw new RestError(await refusalOf(response));
    return response;
  }

  /** All entries of a paged list, page by page. */
  async *pages<P extends Page<unknown>>(path: string, query: Query, first?: number): AsyncGenerator<P> {
    let cursor: string | undefined;
    let limit = first ?? query.limit;
    do {
      const page: P = await this.get<P>(path, { ...query, limit, cursor });
      yield page;
      cursor = page.next_cursor ?? undefined;
      limit = query.limit;
    } while (cursor !== undefined);
  }

  records(session_id: string): AsyncGenerator<RecordsPage> {
    // The first page is small, so that there is something to see soon on a slow line.
    return this.pages<RecordsPage>(`/sessions/${encodeURIComponent(session_id)}/records`, { limit: 1_000 }, 100);
  }
}

async function refusalOf(response: Response): Promise<Refusal> {
  try {
    const problem = await response.json();
    if (typeof problem.code === "string") {
      const { code, detail, retryable, details } = problem;
      return { code, message: detail, retryable, ...(details ? { details } : {}) };
    }
  } catch {
    // Not from the application: a proxy, or a server on its way down.
  }
  return {
    code: response.status >= 500 ? "unavailable" : "invalid",
    message: `The server answered ${response.status} ${response.statusText}`.trim() + ".",
    retryable: response.status >= 500,
  };
}
