/** A worker that puts a symlink in a file's place and the file back again, as fast as it can, until `stop` is not 0. */
/// <reference lib="deno.worker" />
export interface Race {
  readonly place: string;
  readonly target: string;
  readonly stop: Int32Array;
}

self.onmessage = ({ data: { place, target, stop } }: MessageEvent<Race>) => {
  const [aside, link] = [`${place}.aside`, `${place}.link`];
  while (Atomics.load(stop, 0) === 0) {
    Deno.symlinkSync(target, link);
    Deno.renameSync(place, aside);
    Deno.renameSync(link, place);
    Deno.renameSync(aside, place);
  }
  self.postMessage("stopped");
  self.close();
};
