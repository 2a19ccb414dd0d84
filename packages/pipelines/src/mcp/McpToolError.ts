/**
 * A call of a tool on an MCP server failed.
 */
import { Text } from "@effect-dspy/core/Redaction"
import { McpClientError, type McpClientErrorReason } from "effect/ai/McpClientError"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/**
 * - `reason`: `ToolError` where the tool itself said so, else what went wrong on the way: a reason of effect's
 *   `McpClientError` (`TransportError`, `TimeoutError`, `ClosedError`, ...)
 * - `detail`: the server's words, hidden from messages and logs
 *
 * @category errors
 */
export class McpToolError
  extends Schema.TaggedError<McpToolError>("@effect-dspy/pipelines/McpToolError")("McpToolError", {
    tool: Schema.String,
    reason: Schema.String,
    detail: Text
  })
{
  override get message(): string {
    return this.reason === "ToolError"
      ? `The MCP tool \`${this.tool}\` reported a failure.`
      : `The MCP tool \`${this.tool}\` could not be called: ${this.reason}.`
  }

  /** Whether the same call may succeed later: the server could not be reached, or was too slow. */
  get isRetryable(): boolean {
    return this.reason === "TransportError" || this.reason === "HttpError" || this.reason === "TimeoutError"
  }

  /** What the server said, in clear. */
  static reveal(error: McpToolError): string {
    return Redacted.value(error.detail)
  }
}

/**
 * The error of a tool's call from that of the client.
 *
 * @category conversions
 */
export const fromClient = (tool: string, { reason }: McpClientError): McpToolError =>
  make(tool, reason._tag, reason.message)

/**
 * The error of a tool that reported one.
 *
 * @category constructors
 */
export const make = (tool: string, reason: McpClientErrorReason["_tag"], detail: string): McpToolError =>
  new McpToolError({ tool, reason, detail: Redacted.make(detail) })
