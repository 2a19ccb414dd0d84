/** A rule of our own for oxlint: what a package exports has a doc comment. */
const documented = {
  create: (context) => {
    let overloaded
    return {
      ExportNamedDeclaration(node) {
        if (node.declaration === null || node.parent.type !== "Program") return
        const name = node.declaration.id?.name ?? node.declaration.declarations?.[0]?.id?.name
        // The overloads of a function share the comment of the first.
        const isOverload = name !== undefined && name === overloaded
        overloaded = node.declaration.type === "TSDeclareFunction" ? name : undefined
        const hasDoc = context.sourceCode.getCommentsBefore(node)
          .some(({ type, value }) => type === "Block" && value.startsWith("*"))
        if (!hasDoc && !isOverload) {
          context.report({ node, message: `Exported ${name ?? "declaration"} has no doc comment.` })
        }
      }
    }
  }
}

export default { meta: { name: "docs" }, rules: { documented } }
