/** What is in the executable, as CycloneDX. The same sources give the same bytes: no time, no random number. */
import { Contrib, Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import type { BundledPackage } from "./bundled.ts";
import type { Manifest } from "./notices.ts";

export interface Described {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Of the executable, hexadecimal. */
  readonly sha256: string;
  /** What `Deno.version` says in an executable of the same base. */
  readonly base: { readonly deno: string; readonly v8: string };
  readonly packages: readonly (BundledPackage & { readonly manifest: Manifest })[];
}

const { Component, HashDictionary, SpdxLicense, LicenseRepository } = Models;
const { Library, Platform, Application } = Enums.ComponentType;
const { "SHA-256": SHA256, "SHA-512": SHA512 } = Enums.HashAlgorithm;

const builder = new Contrib.FromNodePackageJson.Builders.ComponentBuilder(
  new Contrib.FromNodePackageJson.Factories.ExternalReferenceFactory(),
  new Contrib.License.Factories.LicenseFactory(() => false), // notices.ts lets no expression through
);

export function sbom(described: Described): string {
  const { name, version, licence, sha256, packages } = described;
  const bom = new Models.Bom();
  bom.metadata.lifecycles.add(Enums.LifecyclePhase.Build);
  const product = new Component(Application, name, {
    bomRef: `${name}@${version}`,
    version,
    licenses: licences(licence),
    hashes: new HashDictionary([[SHA256, sha256]]),
  });
  bom.metadata.component = product;

  const components = packages.map(packageComponent);
  packages.forEach(({ dependencies }, i) => {
    const found = packages.flatMap(({ name }, j) => dependencies.includes(name) ? [j] : []);
    for (const j of found) components[i].dependencies.add(components[j].bomRef);
  });
  for (const component of [...components, baseComponent(described.base)]) {
    bom.components.add(component);
    product.dependencies.add(component.bomRef);
  }
  const normalizers = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  return new Serialize.JsonSerializer(normalizers).serialize(bom, { sortLists: true, space: 2 }) +
    "\n";
}

const licences = (id: string) => new LicenseRepository([new SpdxLicense(id)]);

function packageComponent({ name, version, integrity, manifest }: Described["packages"][number]) {
  const component = builder.makeComponent({ ...manifest, license: String(manifest.license) });
  if (!component) throw new Error(`the package.json of ${name} ${version} has no name`);
  component.purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  component.bomRef.value = component.purl;
  if (integrity) component.hashes.set(SHA512, hexOf(integrity));
  else {
    component.properties.add(new Models.Property("haproxy-mcp:inside", "of another npm package"));
  }
  return component;
}

/** `sha512-` and base64, as deno.lock has it. */
function hexOf(integrity: string): string {
  const [algorithm, base64] = integrity.split("-");
  if (algorithm !== "sha512") throw new Error(`${integrity} is no SHA-512`);
  return Uint8Array.fromBase64(base64).toHex();
}

/** The part of Deno that `deno compile` appends a program to, and its two largest parts. */
function baseComponent({ deno, v8 }: Described["base"]) {
  const base = new Component(Platform, "deno", {
    bomRef: `deno@${deno}`,
    version: deno,
    purl: `pkg:github/denoland/deno@v${deno}`,
    licenses: licences("MIT"),
    description: "The base of `deno compile` (denort)",
  });
  const parts = [
    new Component(Library, "v8", {
      bomRef: `v8@${v8}`,
      version: v8,
      licenses: licences("BSD-3-Clause"),
    }),
    new Component(Library, "icu", { bomRef: "icu", licenses: licences("Unicode-3.0") }),
  ];
  for (const part of parts) {
    base.components.add(part);
    base.dependencies.add(part.bomRef);
  }
  return base;
}
