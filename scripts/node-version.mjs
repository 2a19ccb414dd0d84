// Says in one line when Node is too old for this project. Must itself parse on old versions.
var needed = [22, 19]
var parts = process.versions.node.split(".").map(Number)
if (parts[0] < needed[0] || (parts[0] === needed[0] && parts[1] < needed[1])) {
  process.stderr.write(
    "effect-dspy needs Node " + needed.join(".") + " or newer, and this is " + process.versions.node +
      ". On Linux (x64, arm64) `npm ci` brings Node 24, unless optional dependencies are omitted.\n"
  )
  process.exit(1)
}
