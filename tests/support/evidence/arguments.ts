/** Arguments of a tool, made from its own input schema: valid ones, near-valid ones, and what attackers would send. */
import fc from "fast-check";

interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Of the site on which the tools are tried. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  domain: ["a.test", "b.test", "c.test", "new.test", "*.a.test", "A.Test.", "bücher.test"],
  share_with: ["a.test", "nonesuch.test", ""],
  ip: ["10.0.0.1", "::1", "2001:DB8::1", "::ffff:10.0.0.1", ""],
  backend: ["pool_1", "pool_4", "pool_5", "be_unknown_host", ""],
  server: ["pool_1_1", "pool_4_3", "pool_1_9"],
};

/** What would be more than an argument if it were not encoded. */
const HOSTILE = [
  "a.test; show info",
  "a.test\nshow info",
  "a.test\r\n\r\nGET / HTTP/1.1",
  "<<\nx\n",
  "../../etc/passwd",
  "/etc/passwd",
  "a.test\0b",
  "$(id)",
  "`id`",
  "%2e%2e%2f",
  "a.test #",
  '{"a":1}',
  "\u202etset.a",
  "x".repeat(4_000),
  "__proto__",
];

const anything = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(null, true, -1, 0, 1.5, 2 ** 53, 1e308, [], {}, [[]]),
);

export function argumentsOf(schema: unknown): fc.Arbitrary<unknown> {
  const good = valueOf(schema as Schema, "");
  // One more parameter, or one that is missing.
  const off = fc.tuple(good, fc.string({ maxLength: 10 }), anything).map(([args, name, value]) => {
    if (typeof args !== "object" || args === null) return value;
    const [first] = Object.keys(args);
    if (name.length % 2 === 0) return { ...args, [name]: value };
    return Object.fromEntries(Object.entries(args).filter(([key]) => key !== first));
  });
  return fc.oneof(
    { weight: 8, arbitrary: good },
    { weight: 3, arbitrary: off },
    { weight: 1, arbitrary: anything },
  );
}

function valueOf(schema: Schema, name: string): fc.Arbitrary<unknown> {
  const near = (good: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 9, arbitrary: good }, { weight: 1, arbitrary: anything });
  if (schema.const !== undefined) return near(fc.constant(schema.const));
  if (schema.enum) return near(fc.constantFrom(...schema.enum));
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((each) => valueOf(each, name)));
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "object":
      return fc.record(
        Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([key, value]) => [key, valueOf(value, key)]),
        ),
        { requiredKeys: [...schema.required ?? []] },
      );
    case "array":
      return near(fc.array(valueOf(schema.items ?? {}, name), { maxLength: 11 }));
    case "integer":
    case "number": {
      const { minimum = 0, maximum = 65_535 } = schema;
      const [min, max] = [Math.max(minimum, -10), Math.min(maximum, 70_000)];
      return near(fc.oneof(
        fc.integer({ min, max: Math.min(max, min + 5) }),
        fc.integer({ min, max }),
        fc.constantFrom(min - 1, max + 1, min + 0.5),
      ));
    }
    case "boolean":
      return near(fc.boolean());
    case "string": {
      const known = KNOWN[name] ?? ["a.test", ""];
      return near(fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(...known) },
        { weight: 1, arbitrary: fc.constantFrom(...HOSTILE) },
        { weight: 1, arbitrary: fc.domain() },
      ));
    }
    default:
      return anything;
  }
}
