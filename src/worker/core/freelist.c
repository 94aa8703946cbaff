/* freelist: baton_freelist, objects of one size that are used again. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "baton.h"

void *
baton_freelist_get(struct baton_freelist *list)
{
	void *object = list->head;

	if (object == NULL)
		return mem_alloc(list->size);
	list->head = *(void **)object;
	list->n--;
	return memset(object, 0, list->size);
}

void
baton_freelist_put(struct baton_freelist *list, void *object)
{
	AN(list->size >= sizeof(void *));
	if (list->n >= list->max) {
		free(object);
		return;
	}
	*(void **)object = list->head;
	list->head = object;
	list->n++;
}

void
baton_freelist_empty(struct baton_freelist *list)
{
	void *object;

	while ((object = list->head) != NULL) {
		list->head = *(void **)object;
		free(object);
	}
	list->n = 0;
}
