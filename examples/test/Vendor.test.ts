/**
 * What is wrong with addresses and keys is said before anything is sent, for every vendor there is.
 */
import { Profile, Profiles, Provider } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Layer } from "effect"
import * as Vendor from "../src/main/Vendor.ts"

/** Whatever a vendor may ask for beside its key and its address. */
const around = { AZURE_OPENAI_ENDPOINT: "https://azure.example", GOOGLE_CLOUD_PROJECT: "project", AWS_REGION: "region" }

/** What is said of a model under these variables; `undefined` when nothing is wrong. */
const said = async (lm: string, env: { readonly [name: string]: string }, baseUrl?: string) => {
  const exit = await Effect.runPromiseExit(
    Effect.scoped(Layer.build(Vendor.layer(lm, baseUrl))).pipe(
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord({ ...around, ...env }))
    )
  )
  if (Exit.isSuccess(exit)) return undefined
  const failure = Cause.squash(exit.cause)
  assert.strictEqual((failure as { _tag?: unknown })._tag, "UsageError", String(exit.cause))
  return String((failure as Error).message)
}

const vendors = Object.entries(Provider.table).map(([name, { keyName }]) => {
  const profile = Object.values(Profiles.table).find((profile) => profile.name === name)
  const url = profile === undefined ? `${name.toUpperCase()}_BASE_URL` : Profile.baseUrlName(profile)
  return { name, keyName, url }
})

const key = "sk-PLANTED"

describe.each(vendors)("$name", ({ keyName, name, url }) => {
  const keyed: { readonly [name: string]: string } = keyName === undefined ? {} : { [keyName]: key }

  it("is fine with a key and an address", async () => {
    assert.isUndefined(await said(`${name}/m`, { ...keyed, [url]: "https://there.example/v1/" }))
    assert.isUndefined(await said(`${name}/m`, keyed, "http://127.0.0.1:1/v1"))
  })

  it("needs an address that is one", async () => {
    for (const wrong of ["nonsense", "there.example/v1", "localhost:1234/v1", "ftp://there.example/v1", "http://"]) {
      assert.include(await said(`${name}/m`, { ...keyed, [url]: wrong }), `${url} ${wrong}: expected a URL`)
      assert.include(await said(`${name}/m`, keyed, wrong), `--base-url ${wrong}: expected a URL`)
    }
    const secret = await said(`${name}/m`, { ...keyed, [url]: `https://user:${key}@there.example/v1` })
    assert.include(secret, `${url} https://…: expected a URL`)
  })
})

const keyed = vendors.flatMap(({ keyName, name, url }) => keyName === undefined ? [] : [{ keyName, name, url }])

describe.each(keyed)("$name", ({ keyName, name, url }) => {
  it("needs a key that a header can carry", async () => {
    for (const wrong of [`${key}\n`, `\r${key}`, `${key} `, `${key}\u2019`, `sch\u00fcssel-${key}`, `${key}\u0007`]) {
      const message = await said(`${name}/m`, { [keyName]: wrong, [url]: "https://there.example/v1" })
      assert.include(message, `${keyName} can't be a key: character `)
      assert.notInclude(message, key)
    }
  })
})

describe("addresses of several parts", () => {
  it("are looked at as a whole", async () => {
    const keys = { AWS_BEARER_TOKEN_BEDROCK: key, VERTEX_ACCESS_TOKEN: key }
    assert.include(await said("bedrock/m", { ...keys, AWS_REGION: "eu west" }), "--lm bedrock/m: no URL")
    assert.include(await said("ollama/m", { OLLAMA_HOST: "http://[nowhere" }), "OLLAMA_HOST http://[nowhere")
    assert.isUndefined(await said("ollama/m", { OLLAMA_HOST: "0.0.0.0:11434" }))
  })
})
