/* SPDX-License-Identifier: BSD-2-Clause */
/* Page rights and overlays of the engines attr and nested: functions of struct engine_ops. */
#ifndef VKVM_PAGE_RIGHTS_H
#define VKVM_PAGE_RIGHTS_H

#include "kvm/engine/engine.h"

/* The rights that are denied to a VTL at @gpa, enum gpa_access. */
uint8_t page_rights_denied_at(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpa);

int page_rights_start(struct vkvm_backend *backend, const struct restriction_ops *restrictions);
void page_rights_stop(struct vkvm_backend *backend);
int page_rights_window_init(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl);
void page_rights_window_destroy(struct vkvm_backend *backend, struct vkvm_region *region,
				uint8_t vtl);
int page_rights_protect(struct vkvm_backend *backend, uint8_t vtl, const struct gpa_range *ranges,
			size_t count, uint8_t access);
int page_rights_overlay_map(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
			    uint64_t page, uint32_t overlay, uint8_t access);
int page_rights_overlay_unmap(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
			      uint64_t page);
int page_rights_overlay_window(struct vkvm_backend *backend, uint8_t vtl);
int page_rights_overlay_slot(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn,
			     uint32_t overlay, uint8_t access);
uint8_t page_rights_denied(const struct vkvm_region *region, uint8_t vtl, uint64_t page);

#endif
