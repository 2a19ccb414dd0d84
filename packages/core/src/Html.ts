/**
 * Pages that stand alone: one file, no script, no request to anywhere, readable in the dark and on paper.
 *
 * Whatever a model, a document or an error said may be shown in one: text becomes markup in one place, `html`, and
 * there everything is escaped that is not markup already.
 */

/**
 * Markup, as opposed to text.
 *
 * @category models
 */
export interface Html {
  readonly markup: string
}

/** What may stand in a template; `undefined` and `false` stand for nothing. */
type Value = Html | string | number | undefined | false | ReadonlyArray<Value>

class Markup implements Html {
  readonly markup: string
  constructor(markup: string) {
    this.markup = markup
  }
}

const escapes: { readonly [character: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\"": "&quot;",
  "'": "&#39;",
  "`": "&#96;"
}

/**
 * Text as it can stand in an element or in a quoted attribute.
 *
 * @category formatting
 */
export const escape = (text: string): string =>
  // Characters that change the direction of text, or can't be seen, would let one text pass for another.
  text
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, "\ufffd")
    .replace(/[&<>"'`]/g, (character) => escapes[character] ?? "")

const written = (value: Value): string => {
  if (value === undefined || value === false) return ""
  if (value instanceof Markup) return value.markup
  if (typeof value === "string") return escape(value)
  if (typeof value === "number") return String(value)
  return Array.isArray(value) ? (value as ReadonlyArray<Value>).map(written).join("") : ""
}

/**
 * Markup with values in it. Attributes must be quoted; addresses, styles and scripts must not come from outside.
 *
 * ```ts
 * import { Html } from "@effect-dspy/core"
 *
 * const said = "<script>alert(1)</script>"
 * Html.html`<p title="${said}">${[said, Html.html`<b>!</b>`]}</p>`.markup // => "<p title=\"&lt;script&gt;alert(1)&lt;/script&gt;\">&lt;script&gt;alert(1)&lt;/script&gt;<b>!</b></p>"
 * ```
 *
 * @category constructors
 */
export const html = (parts: TemplateStringsArray, ...values: ReadonlyArray<Value>): Html =>
  new Markup(parts.reduce((all, part, index) => `${all}${written(values[index - 1])}${part}`))

/**
 * A table; `numbers` says which columns are set like figures.
 *
 * @category constructors
 */
export const table = (
  caption: string,
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<Value>>,
  numbers: ReadonlyArray<number> = []
): Html => {
  const kind = (column: number) => numbers.includes(column) ? html` class="n"` : undefined
  return html`<div class="wide"><table><caption>${caption}</caption><thead><tr>${
    head.map((name, column) => html`<th scope="col"${kind(column)}>${name}</th>`)
  }</tr></thead><tbody>${
    rows.map((row) => html`<tr>${row.map((cell, column) => html`<td${kind(column)}>${cell}</td>`)}</tr>\n`)
  }</tbody></table></div>`
}

// Colours have a contrast of at least 4.5 to 1 against their background, in both schemes.
const style = `
:root{color-scheme:light dark;--text:#1c1c1c;--back:#fff;--quiet:#595959;--line:#d0d0d0;--a:#1f6feb;--b:#b35900;
--c:#a40e26;--d:#6639ba;--e:#57606a;--f:#1a7f37}
@media(prefers-color-scheme:dark){:root{--text:#e6e6e6;--back:#15181c;--quiet:#a8b0b8;--line:#3a4048;--a:#58a6ff;
--b:#f0a35e;--c:#ff8a84;--d:#c297ff;--e:#9aa4ae;--f:#56d364}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);max-width:70rem;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}caption{text-align:left;color:var(--quiet);padding:.3rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line)}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.wide{overflow-x:auto}
.quiet{color:var(--quiet)}pre{white-space:pre-wrap;overflow-wrap:anywhere}
.track{position:relative;height:1rem;min-width:12rem;background:color-mix(in srgb,var(--line) 35%,transparent)}
.bar{position:absolute;top:0;bottom:0;min-width:1px}.critical{outline:2px solid var(--text);outline-offset:-1px}
.a{background:var(--a)}.b{background:var(--b)}.c{background:var(--c)}.d{background:var(--d)}.e{background:var(--e)}
.f{background:var(--f)}.key span{display:inline-block;width:.9rem;height:.9rem;margin:0 .3rem 0 .9rem;vertical-align:-.1rem}
`

/**
 * A whole page as the text of a file. Browsers let it load and run nothing.
 *
 * @category formatting
 */
export const page = (title: string, body: Html): string =>
  html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="no-referrer">
<title>${title}</title><style>${new Markup(style)}</style></head>
<body><main><h1>${title}</h1>
${body}
</main></body></html>
`.markup
