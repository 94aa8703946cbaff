/*
 * metrics: the statistics in the text format of Prometheus, version 0.0.4.
 */
#ifndef BATON_SERVICE_ADMIN_METRICS_H
#define BATON_SERVICE_ADMIN_METRICS_H

/* malloc'd. */
char *metrics_text(void);

#endif
