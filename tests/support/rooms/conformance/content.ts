/** Blocks of content that several fixtures answer with. */
import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/server";

/** A PNG of one red pixel. */
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC";

/** A WAV of no sample: 8,000 Hz, mono, 16 bits. */
export const WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

export const text = (text: string): ContentBlock => ({ type: "text", text });

export const image: ContentBlock = { type: "image", data: PNG, mimeType: "image/png" };

export const embedded = (uri: string, mimeType: string, text: string): ContentBlock => ({
  type: "resource",
  resource: { uri, mimeType, text },
});

export const result = (...content: readonly ContentBlock[]): CallToolResult => ({
  content: [...content],
});
