/*
 * mime: the content type of a file, by the end of its name.  Pure.
 */
#ifndef BATON_SERVICE_HTTP_MIME_H
#define BATON_SERVICE_HTTP_MIME_H

/* Never NULL: application/octet-stream for what is not known. */
const char *mime_type(const char *name);

#endif
