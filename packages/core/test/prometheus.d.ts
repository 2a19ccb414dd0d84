/** What the tests read of it; the package has no types. */
declare module "parse-prometheus-text-format" {
  interface Sample {
    readonly labels?: { readonly [name: string]: string }
    readonly value?: string
    readonly count?: string
    readonly sum?: string
    readonly buckets?: { readonly [bound: string]: string }
  }
  const parse: (text: string) => ReadonlyArray<{
    readonly name: string
    readonly help: string
    readonly type: string
    readonly metrics: ReadonlyArray<Sample>
  }>
  export default parse
}
