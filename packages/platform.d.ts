/**
 * What every platform that has `fetch` has, and no version of ECMAScript: the packages build against these and
 * nothing else of a browser or of Node.
 */
declare class TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number }
}

declare class TextDecoder {
  constructor(label?: string, options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean })
  decode(input?: ArrayBufferView | ArrayBuffer, options?: { readonly stream?: boolean }): string
}

declare class URL {
  static canParse(url: string, base?: string): boolean
  constructor(url: string, base?: string | URL)
  readonly href: string
  readonly origin: string
  readonly protocol: string
  readonly host: string
  readonly hostname: string
  readonly port: string
  readonly pathname: string
  readonly search: string
  readonly hash: string
}

interface AbortSignal {
  readonly aborted: boolean
}

interface ReadableStream<out A> {
  readonly locked: boolean
  cancel(reason?: unknown): Promise<void>
  [Symbol.asyncIterator](): AsyncIterableIterator<A>
}

declare class Response {
  constructor(
    body?: ReadableStream<Uint8Array> | ArrayBuffer | string | null,
    init?: { readonly status?: number; readonly headers?: { readonly [name: string]: string } }
  )
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: ReadableStream<Uint8Array> | null
  text(): Promise<string>
}
