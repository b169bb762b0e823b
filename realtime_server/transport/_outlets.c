/* plain_outlets.py, compiled: queueing a frame for many clients, and writing what is queued.
 *
 * Both loops run once per delivery, and were a third of a broadcast's processor time as Python (docs/performance.md,
 * "The transport by itself"). What they do, and why it may be done beside the event loop's transport, is described in
 * plain_outlets.py, which is used where this could not be compiled. tests/transport/test_outlets.py holds both to the
 * same behaviour. Change them together.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <string.h>
#include <sys/socket.h>

/* Entries for which a list keeps its memory between two flushes; the next frame then needs none. A client that had more
 * waiting gives it back. */
#define KEPT_ENTRIES 8

typedef struct {
    PyObject_HEAD
    PyObject *outbox;
    int fd;
} Outlet;

static PyObject *flush_name, *append_name, *write_rest_name;

static int
outlet_traverse(Outlet *self, visitproc visit, void *arg)
{
    Py_VISIT(self->outbox);
    return 0;
}

static int
outlet_clear(Outlet *self)
{
    Py_CLEAR(self->outbox);
    return 0;
}

static void
outlet_dealloc(Outlet *self)
{
    PyObject_GC_UnTrack(self);
    outlet_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Takes any arguments: they are for a subclass's __init__, as with object. */
static PyObject *
outlet_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Outlet *self = (Outlet *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->fd = -1;
        self->outbox = PyList_New(0);
        if (self->outbox == NULL)
            Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static PyMemberDef outlet_members[] = {
    {"outbox", T_OBJECT_EX, offsetof(Outlet, outbox), 0, "Frames that wait."},
    {"fd", T_INT, offsetof(Outlet, fd), 0, "The socket to write to; -1 where `flush` and `write_rest` do."},
    {NULL},
};

static PyTypeObject OutletType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "realtime_server.transport._outlets.Outlet",
    .tp_doc = "See plain_outlets.Outlet.",
    .tp_basicsize = sizeof(Outlet),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = outlet_new,
    .tp_dealloc = (destructor)outlet_dealloc,
    .tp_traverse = (traverseproc)outlet_traverse,
    .tp_clear = (inquiry)outlet_clear,
    .tp_members = outlet_members,
};

/* The item as an outlet whose outbox is a list (borrowed); NULL with TypeError for anything else. */
static Outlet *
as_outlet(PyObject *item)
{
    if (PyObject_TypeCheck(item, &OutletType) && ((Outlet *)item)->outbox != NULL
        && PyList_Check(((Outlet *)item)->outbox))
        return (Outlet *)item;
    PyErr_SetString(PyExc_TypeError, "an Outlet with an outbox is needed");
    return NULL;
}

/* Clients' objects have left the processor's caches since they were last used: fetch those that follow. */
static inline void
fetch_ahead(PyObject *list, Py_ssize_t i, Py_ssize_t near)
{
    Py_ssize_t last = PyList_GET_SIZE(list) - 1;
    if (i + 2 * near <= last)
        __builtin_prefetch(PyList_GET_ITEM(list, i + 2 * near));
    if (i + near <= last) {
        PyObject *item = PyList_GET_ITEM(list, i + near);
        if (PyObject_TypeCheck(item, &OutletType))
            __builtin_prefetch(((Outlet *)item)->outbox);
    }
}

/* queue(recipients, skipped, frame, dirty) -> count */
static PyObject *
queue(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 4 || !PyList_Check(args[0]) || !PyBytes_CheckExact(args[2]) || !PyList_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "queue(list, outlet or None, bytes, list)");
        return NULL;
    }
    PyObject *recipients = args[0], *skipped = args[1], *frame = args[2], *dirty = args[3];
    Py_ssize_t count = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(recipients); i++) {
        PyObject *item = PyList_GET_ITEM(recipients, i);
        fetch_ahead(recipients, i, 6);
        if (item == skipped)
            continue;
        Outlet *outlet = as_outlet(item);
        if (outlet == NULL)
            return NULL;
        PyObject *outbox = outlet->outbox;
        if (PyList_GET_SIZE(outbox) == 0 && PyList_Append(dirty, item) < 0)
            return NULL;
        if (PyList_CheckExact(outbox)) {
            if (PyList_Append(outbox, frame) < 0)
                return NULL;
        }
        else { /* counts, or drops: may run anything, so hold what it could let go */
            Py_INCREF(outbox);
            PyObject *nothing = PyObject_CallMethodOneArg(outbox, append_name, frame);
            Py_DECREF(outbox);
            if (nothing == NULL)
                return NULL;
            Py_DECREF(nothing);
        }
        count++;
    }
    return PyLong_FromSsize_t(count);
}

/* All frames of an outbox that has some, as one bytes object (a new reference). */
static PyObject *
joined(PyObject *outbox)
{
    Py_ssize_t size = 0, frames = PyList_GET_SIZE(outbox);
    for (Py_ssize_t i = 0; i < frames; i++) {
        PyObject *frame = PyList_GET_ITEM(outbox, i);
        if (!PyBytes_CheckExact(frame)) { /* a subclass may run code when it goes; `emptied` counts on none */
            PyErr_SetString(PyExc_TypeError, "a frame must be bytes");
            return NULL;
        }
        size += PyBytes_GET_SIZE(frame);
    }
    if (frames == 1)
        return Py_NewRef(PyList_GET_ITEM(outbox, 0));
    PyObject *data = PyBytes_FromStringAndSize(NULL, size);
    if (data == NULL)
        return NULL;
    char *end = PyBytes_AS_STRING(data);
    for (Py_ssize_t i = 0; i < frames; i++) {
        PyObject *frame = PyList_GET_ITEM(outbox, i);
        memcpy(end, PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame));
        end += PyBytes_GET_SIZE(frame);
    }
    return data;
}

static int
emptied(PyObject *outbox)
{
    Py_ssize_t frames = PyList_GET_SIZE(outbox);
    if (((PyListObject *)outbox)->allocated > KEPT_ENTRIES)
        return PyList_SetSlice(outbox, 0, frames, NULL);
    Py_SET_SIZE(outbox, 0); /* the list keeps its memory; bytes run no code when they go */
    for (Py_ssize_t i = 0; i < frames; i++)
        Py_DECREF(((PyListObject *)outbox)->ob_item[i]);
    return 0;
}

static int
called(PyObject *item, PyObject *name, PyObject *argument)
{
    PyObject *nothing = argument == NULL ? PyObject_CallMethodNoArgs(item, name)
                                         : PyObject_CallMethodOneArg(item, name, argument);
    Py_XDECREF(nothing);
    return nothing == NULL ? -1 : 0;
}

/* Write `data` to the outlet's socket; what it does not take goes to `write_rest`. */
static int
written(PyObject *item, PyObject *data)
{
    Py_ssize_t size = PyBytes_GET_SIZE(data);
    ssize_t sent = send(((Outlet *)item)->fd, PyBytes_AS_STRING(data), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent == size)
        return 0;
    if (sent < 0)
        sent = 0; /* full, or broken: the transport finds out which */
    PyObject *rest = PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + sent, size - sent);
    if (rest == NULL)
        return -1;
    int result = called(item, write_rest_name, rest);
    Py_DECREF(rest);
    return result;
}

/* flush(dirty) -> (frames, bytes) */
static PyObject *
flush(PyObject *Py_UNUSED(module), PyObject *dirty)
{
    if (!PyList_Check(dirty)) {
        PyErr_SetString(PyExc_TypeError, "flush(list)");
        return NULL;
    }
    Py_ssize_t frames = 0, size = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(dirty); i++) {
        PyObject *item = PyList_GET_ITEM(dirty, i);
        fetch_ahead(dirty, i, 1);
        Outlet *outlet = as_outlet(item);
        if (outlet == NULL)
            return NULL;
        PyObject *outbox = outlet->outbox;
        if (outlet->fd < 0 || !PyList_CheckExact(outbox)) {
            if (called(item, flush_name, NULL) < 0)
                return NULL;
            continue;
        }
        Py_ssize_t waiting = PyList_GET_SIZE(outbox);
        if (waiting == 0)
            continue;
        PyObject *data = joined(outbox);
        if (data == NULL)
            return NULL;
        frames += waiting;
        size += PyBytes_GET_SIZE(data);
        int failed = emptied(outbox) < 0 || written(item, data) < 0;
        Py_DECREF(data);
        if (failed)
            return NULL;
    }
    return Py_BuildValue("nn", frames, size);
}

static PyMethodDef methods[] = {
    {"queue", (PyCFunction)(void (*)(void))queue, METH_FASTCALL, "See plain_outlets.queue."},
    {"flush", flush, METH_O, "See plain_outlets.flush."},
    {NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "realtime_server.transport._outlets",
    .m_doc = "plain_outlets.py, compiled.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__outlets(void)
{
    flush_name = PyUnicode_InternFromString("flush");
    append_name = PyUnicode_InternFromString("append");
    write_rest_name = PyUnicode_InternFromString("write_rest");
    if (flush_name == NULL || append_name == NULL || write_rest_name == NULL || PyType_Ready(&OutletType) < 0)
        return NULL;
    PyObject *module = PyModule_Create(&module_definition);
    if (module != NULL && PyModule_AddObjectRef(module, "Outlet", (PyObject *)&OutletType) < 0)
        Py_CLEAR(module);
    return module;
}
