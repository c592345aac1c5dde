/** Tools that answer by themselves: each kind of content, an error, progress, log messages, a stream that is cut. */
import { pause } from "../../../../lib/pause.ts";
import { embedded, image, result, text, WAV } from "./content.ts";
import { fixture } from "./tool.ts";

/** Long enough for each notification to leave by itself. */
const STEP_MS = 50;

export const answeringTools = [
  fixture(
    "test_simple_text",
    "Answers a text.",
    () => result(text("This is a simple text response for testing.")),
  ),
  fixture("test_image_content", "Answers an image.", () => result(image)),
  fixture(
    "test_audio_content",
    "Answers a sound.",
    () => result({ type: "audio", data: WAV, mimeType: "audio/wav" }),
  ),
  fixture(
    "test_embedded_resource",
    "Answers a resource.",
    () =>
      result(
        embedded(
          "test://embedded-resource",
          "text/plain",
          "This is an embedded resource content.",
        ),
      ),
  ),
  fixture("test_multiple_content_types", "Answers a text, an image and a resource.", () =>
    result(
      text("Multiple content types test:"),
      image,
      embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    )),
  fixture("test_error_handling", "Fails.", () => ({
    ...result(text("This tool intentionally returns an error for testing")),
    isError: true,
  })),

  fixture(
    "test_headers",
    "Answers where it was told; gateways see that in the headers.",
    ({ region, urgent }) => result(text(`${region} ${urgent}`)),
    {
      properties: {
        region: { type: "string", "x-mcp-header": "Region" },
        urgent: { type: "boolean", "x-mcp-header": "Urgent" },
      },
    },
  ),

  fixture("test_tool_with_progress", "Makes progress.", async (_args, { context: { mcpReq } }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progress > 0) await pause(STEP_MS);
      if (progressToken === undefined) continue;
      await mcpReq.notify({
        method: "notifications/progress",
        params: { progressToken, progress, total: 100 },
      });
    }
    return result(text("Done."));
  }),

  fixture("test_tool_with_logging", "Logs.", async (_args, { context: { mcpReq } }) => {
    await mcpReq.log("info", "Tool execution started");
    await pause(STEP_MS);
    await mcpReq.log("info", "Tool processing data");
    await pause(STEP_MS);
    await mcpReq.log("info", "Tool execution completed");
    return result(text("Done."));
  }),
  fixture("test_logging_tool", "Logs once.", async (_args, { context: { mcpReq } }) => {
    await mcpReq.log("info", "Seen by those who asked for it.");
    return result(text("Done."));
  }),

  fixture(
    "test_reconnection",
    "Closes its stream before it answers: the client comes back for the answer.",
    async (_args, { context: { http } }) => {
      http?.closeSSE?.();
      await pause(STEP_MS);
      return result(text("The stream was closed, and the answer came all the same."));
    },
  ),

  fixture(
    "json_schema_2020_12_tool",
    "Has a schema of many keywords: all have to arrive.",
    () => result(text("Done.")),
    {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      $defs: {
        address: {
          $anchor: "addressDef",
          type: "object",
          properties: { street: { type: "string" }, city: { type: "string" } },
        },
      },
      properties: {
        name: { type: "string" },
        address: { $ref: "#/$defs/address" },
        contactMethod: { type: "string", enum: ["phone", "email"] },
        phone: { type: "string" },
        email: { type: "string" },
      },
      allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
      if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
      then: { required: ["phone"] },
      else: { required: ["email"] },
      additionalProperties: false,
    },
  ),
];
