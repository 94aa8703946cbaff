/* services: the types there are. */
#include "worker/service.h"

#include <string.h>

#include "service/admin/admin.h"
#include "service/echo.h"
#include "service/http/http.h"
#include "service/module/module.h"
#include "service/proxy/proxy.h"

const struct service_type *const service_types[] = {
    &echo_service, &http_service, &proxy_service, &module_service, &admin_service, NULL};

const struct service_type *
service_type_find(const char *name)
{
	for (size_t i = 0; service_types[i] != NULL; i++)
		if (strcmp(service_types[i]->name, name) == 0)
			return service_types[i];
	return NULL;
}
