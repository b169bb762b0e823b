/** Live reconciliation for React: a provider, hooks, and components. */
export * from "./core";
export * from "./hooks";
export * from "./provider";
export { ConflictResolver } from "./components/ConflictResolver";
export { RealTimeCollaboration } from "./components/RealTimeCollaboration";
export { ReconciliationStatus } from "./components/ReconciliationStatus";
export { RecordEditor } from "./components/RecordEditor";
export { UserPresence } from "./components/UserPresence";
