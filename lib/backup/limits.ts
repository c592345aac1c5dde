/** How large a backup may be: what is larger is none, and is not read into memory. Bytes. */

/** Of one file: a full audit log has 10 MiB. */
export const MAX_FILE = 64 * 1024 * 1024;
export const MAX_ARCHIVE = 512 * 1024 * 1024;
