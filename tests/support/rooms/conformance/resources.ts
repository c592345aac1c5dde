/** Resources: a text, an image, a template, and one to subscribe to. */
import type { McpHandlers } from "../../../../lib/front/mcp/handlers.ts";
import { PNG } from "./content.ts";

const FIXED = [
  {
    uri: "test://static-text",
    name: "static-text",
    mimeType: "text/plain",
    text: "This is the content of the static text resource.",
  },
  { uri: "test://static-binary", name: "static-binary", mimeType: "image/png", blob: PNG },
  {
    uri: "test://watched-resource",
    name: "watched-resource",
    mimeType: "text/plain",
    text: "Watch me.",
  },
];

const isFixed = (uri: string) => FIXED.some((each) => each.uri === uri);

const TEMPLATE = {
  uriTemplate: "test://template/{id}/data",
  name: "template",
  mimeType: "application/json",
};
const URI_OF_TEMPLATE = /^test:\/\/template\/([^/]+)\/data$/;

export function withFixtureResources(product: McpHandlers): McpHandlers {
  return {
    ...product,
    async "resources/list"(request, asked) {
      const page = await product["resources/list"](request, asked);
      if (request.params?.cursor) return page;
      const listed = FIXED.map(({ uri, name, mimeType }) => ({
        uri,
        name,
        mimeType,
        description: `The fixture ${name}.`,
      }));
      return { ...page, resources: [...page.resources, ...listed] };
    },
    async "resources/templates/list"(request, asked) {
      const page = await product["resources/templates/list"](request, asked);
      return { ...page, resourceTemplates: [...page.resourceTemplates, TEMPLATE] };
    },
    "resources/read"(request, asked) {
      const { uri } = request.params;
      const fixed = FIXED.find((each) => each.uri === uri);
      if (fixed) {
        const { name: _, ...contents } = fixed;
        return { contents: [contents] };
      }
      const [, id] = URI_OF_TEMPLATE.exec(uri) ?? [];
      if (id === undefined) return product["resources/read"](request, asked);
      const text = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
      return { contents: [{ uri, mimeType: TEMPLATE.mimeType, text }] };
    },
    // They never change, so there is nothing to be told of.
    "resources/subscribe": (request, asked) =>
      isFixed(request.params.uri) ? {} : product["resources/subscribe"](request, asked),
    "resources/unsubscribe": (request, asked) =>
      isFixed(request.params.uri) ? {} : product["resources/unsubscribe"](request, asked),
  };
}
