/** The status page's own routes: here, and nowhere else, its cookie counts. */
export const STATUS_ROUTES: readonly string[] = ["/", "/status/events", "/status/sign-out"];
