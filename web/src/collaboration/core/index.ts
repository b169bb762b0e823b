/** The client core: everything but React. */
export * from "./channel";
export * from "./connection";
export type * from "./contract";
export * from "./edits";
export * from "./editStorage";
export * from "./leases";
export * from "./loader";
export * from "./log";
export * from "./matches";
export * from "./notifications";
export * from "./presence";
export * from "./records";
export * from "./rest";
export * from "./session";
export * from "./signal";
export * from "./socketChannel";
export * from "./tabs";
export * from "./tokens";
