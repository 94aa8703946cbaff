/* What check_analysis.sh has cppcheck know of jansson's loops, whose own are too much for it. */
#define json_array_foreach(list, i, value)                                                     \
	for (i = 0; i < json_array_size(list) && (value = json_array_get(list, i)); i++)
#define json_object_foreach(object, key, value)                                                \
	for (key = json_next(object); key && (value = json_object_get(object, key));           \
	     key = json_next(object))
