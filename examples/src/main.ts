/**
 * `npm start`. Node keeps what it made of the sources (types stripped, code compiled) for the next start, which is half
 * of what a start costs; `NODE_COMPILE_CACHE` says where, else it is the system's directory for what may be lost.
 */
import { enableCompileCache } from "node:module"

enableCompileCache()

// Only what is loaded from here on is kept.
await import("./main/CommandLine.ts")
