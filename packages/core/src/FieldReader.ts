/**
 * Reading the fields of a reply while it is written.
 *
 * An adapter whose replies can be read in pieces gives its format a `FieldReader`; what a reader says is early and
 * never final, because in the end `Format.read` reads the whole reply. A reader that does not understand a reply falls
 * silent, and only the head start is lost.
 */

/**
 * - `Text`: more of a text field
 * - `Element`: one complete element of a list field, in its JSON form
 * - `Complete`: the JSON form of a complete field
 *
 * @category models
 */
export type Piece =
  | { readonly _tag: "Text"; readonly field: string; readonly text: string }
  | { readonly _tag: "Element"; readonly field: string; readonly index: number; readonly json: unknown }
  | { readonly _tag: "Complete"; readonly field: string; readonly json: unknown }

/**
 * Takes the reply's text in pieces of any size, and gives what each adds. Linear in the length of the text: no
 * character is looked at twice.
 *
 * @category models
 */
export interface FieldReader {
  readonly push: (text: string) => ReadonlyArray<Piece>
}
