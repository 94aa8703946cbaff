/*
 * page: the files of page/, as tools/embed has put them into the program.
 */
#ifndef BATON_SERVICE_ADMIN_PAGE_H
#define BATON_SERVICE_ADMIN_PAGE_H

#include <stddef.h>

extern const unsigned char page_icon_svg[];
extern const size_t page_icon_svg_size;
extern const unsigned char page_index_html[];
extern const size_t page_index_html_size;
extern const unsigned char page_page_css[];
extern const size_t page_page_css_size;
extern const unsigned char page_page_js[];
extern const size_t page_page_js_size;

#endif
