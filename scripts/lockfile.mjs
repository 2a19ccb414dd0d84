/**
 * Completes package-lock.json after `npm install`: `npm run lockfile`.
 *
 * Tools bring one binary package a platform, as optional dependencies. A registry mirror may not have those
 * of platforms nobody here uses; `npm install` then leaves them out of the lockfile, and `npm ci` refuses a
 * lockfile without them. They are added by name, version and platform: installed only there, where npm asks
 * its registry for the rest.
 */
import { readFileSync, writeFileSync } from "node:fs"

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"))
let added = 0

for (const [path, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
  if (path === "") continue
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const platform = /(android|darwin|freebsd|linux|win32)-(arm64|arm|ia32|loong64|ppc64|riscv64|s390x|x64)/.exec(name)
    const entry = `node_modules/${name}`
    if (platform === null || lock.packages[entry] !== undefined) continue
    lock.packages[entry] = { version, cpu: [platform[2]], ...(dev ? { dev } : {}), optional: true, os: [platform[1]] }
    added++
  }
}

lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => a === "" ? -1 : b === "" ? 1 : a.localeCompare(b, "en"))
)
writeFileSync("package-lock.json", `${JSON.stringify(lock, undefined, 2)}\n`)
console.log(`${added} platform packages added to package-lock.json`)
