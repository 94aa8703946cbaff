#include "services.h"

#include <stddef.h>

#include "service/admin/admin.h"
#include "service/echo.h"
#include "service/http/http.h"
#include "service/module/module.h"
#include "service/proxy/proxy.h"

const struct service_type *const services[] = {&echo_service,   &http_service,  &proxy_service,
                                               &module_service, &admin_service, NULL};
