/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev/ports: units of 1, 2 or 4 bytes; the file offset is the port number. Debian's cloud kernel has no
 * /dev/port, and iopl() has no effect on the rig's emulated CPU if its TSS is busy. */
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

static ssize_t ports_read(struct file *file, char __user *out, size_t size, loff_t *offset)
{
	u32 value;

	switch (size) {
	case 1:
		value = inb(*offset);
		break;
	case 2:
		value = inw(*offset);
		break;
	case 4:
		value = inl(*offset);
		break;
	default:
		return -EINVAL;
	}
	return copy_to_user(out, &value, size) ? -EFAULT : size;
}

static ssize_t ports_write(struct file *file, const char __user *in, size_t size, loff_t *offset)
{
	u32 value = 0;

	if (size > sizeof(value) || copy_from_user(&value, in, size))
		return -EFAULT;
	switch (size) {
	case 1:
		outb(value, *offset);
		break;
	case 2:
		outw(value, *offset);
		break;
	case 4:
		outl(value, *offset);
		break;
	default:
		return -EINVAL;
	}
	return size;
}

static const struct file_operations ports_operations = {
	.owner = THIS_MODULE,
	.read = ports_read,
	.write = ports_write,
};

static struct miscdevice ports_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ports",
	.fops = &ports_operations,
	.mode = 0600,
};

module_misc_device(ports_device);
MODULE_DESCRIPTION("I/O ports as a file");
MODULE_LICENSE("Dual BSD/GPL");
