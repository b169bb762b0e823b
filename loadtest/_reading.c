/* plain_reading.py, compiled, and with sockets of its own: `Sockets` reads all that is ready and takes it apart.
 *
 * A thousand people in sessions of fifty are told 50 times what is sent, so reading is nearly all that a generator does.
 * Through an event loop's transport and a Python method for each frame it took 0.6 of a core at 100,000 deliveries a
 * second, in stretches of 15 ms in which nothing was sent (docs/performance.md, "Method").
 * tests/loadtest/test_reading.py holds both to the same behaviour. Change them together.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* As loadtest/histogram.py has them; the module says how many, and a test compares. */
#define PART_BITS 7
#define LONGEST ((1LL << 36) - 1)
#define BUCKETS ((29 << PART_BITS) + (1 << PART_BITS))

/* Broadcasts remembered, as in plain_reading.py. */
#define REMEMBERED 4096
/* Sockets read in one turn of the event loop: a millisecond or less, so that what is due in between goes out. */
#define AT_A_TIME 64
#define BUFFER (64 * 1024)
/* The longest frame that is taken; a snapshot has some hundred kilobytes. */
#define LONGEST_FRAME (256LL << 20)

static PyObject *read_name, *out_of_step_name, *noticed_name, *ended_name;

/* -- Told: what a broadcast says --------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    long long seq, stamp;
    char is_cursor, is_notable;
} Told;

static PyMemberDef told_members[] = {
    {"seq", T_LONGLONG, offsetof(Told, seq), 0, "Of the commit; 0 without one."},
    {"stamp", T_LONGLONG, offsetof(Told, stamp), 0, "When its cause was due, in microseconds; 0 if unknown."},
    {"is_cursor", T_BOOL, offsetof(Told, is_cursor), 0, "Presence, which the server paces."},
    {"is_notable", T_BOOL, offsetof(Told, is_notable), 0, "Readers that attend are to be told."},
    {NULL},
};

static PyTypeObject ToldType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "loadtest._reading.Told",
    .tp_doc = "See plain_reading.Told.",
    .tp_basicsize = sizeof(Told),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = PyType_GenericNew,
    .tp_members = told_members,
};

/* -- Reader: what each client knows -------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    long long seq;
    char joined, attends;
} Reader;

static PyMemberDef reader_members[] = {
    {"seq", T_LONGLONG, offsetof(Reader, seq), 0, "Of the last commit seen."},
    {"joined", T_BOOL, offsetof(Reader, joined), 0, "Whether it is in its session."},
    {"attends", T_BOOL, offsetof(Reader, attends), 0, "Whether it is told of what is notable."},
    {NULL},
};

/* Takes any arguments: they are for a subclass's __init__, as with object. */
static PyObject *
reader_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    return type->tp_alloc(type, 0);
}

static PyTypeObject ReaderType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "loadtest._reading.Reader",
    .tp_doc = "See plain_reading.Reader.",
    .tp_basicsize = sizeof(Reader),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = reader_new,
    .tp_members = reader_members,
};

/* -- Readings: what one process counts ----------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *known;
    long long deliveries, measure_from;
    uint32_t delivery[BUCKETS], cursor[BUCKETS];
} Readings;

static int
readings_init(Readings *self, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Py_XSETREF(self->known, PyDict_New());
    return self->known == NULL ? -1 : 0;
}

static int
bucket_of(long long took)
{
    if (took < 0)
        took = 0;
    if (took > LONGEST)
        took = LONGEST;
    int shift = took ? 63 - __builtin_clzll((unsigned long long)took) - PART_BITS : 0;
    if (shift < 0)
        shift = 0;
    return (shift << PART_BITS) + (int)(took >> shift);
}

static int
called_with(PyObject *object, PyObject *name, PyObject *first, long long second)
{
    PyObject *number = PyLong_FromLongLong(second);
    if (number == NULL)
        return -1;
    PyObject *nothing = PyObject_CallMethodObjArgs(object, name, first, number, NULL);
    Py_DECREF(number);
    Py_XDECREF(nothing);
    return nothing == NULL ? -1 : 0;
}

static int
count(Readings *self, Reader *reader, Told *told, long long at)
{
    self->deliveries++;
    if (told->seq) {
        if (reader->joined && told->seq == reader->seq + 1)
            reader->seq = told->seq;
        else {
            PyObject *number = PyLong_FromLongLong(told->seq);
            if (number == NULL)
                return -1;
            PyObject *nothing = PyObject_CallMethodOneArg((PyObject *)reader, out_of_step_name, number);
            Py_DECREF(number);
            Py_XDECREF(nothing);
            if (nothing == NULL)
                return -1;
        }
    }
    if (told->stamp && told->stamp >= self->measure_from)
        (told->is_cursor ? self->cursor : self->delivery)[bucket_of(at - told->stamp)]++;
    if (told->is_notable && reader->attends)
        return called_with((PyObject *)reader, noticed_name, (PyObject *)told, at);
    return 0;
}

/* One message: counted if it is a broadcast that was read before, else its reader's to read. */
static int
taken(Readings *self, Reader *reader, PyObject *payload, long long at)
{
    PyObject *told = PyDict_GetItemWithError(self->known, payload);
    if (told != NULL) {
        Py_INCREF(told);
        int result = count(self, reader, (Told *)told, at);
        Py_DECREF(told);
        return result;
    }
    return PyErr_Occurred() ? -1 : called_with((PyObject *)reader, read_name, payload, at);
}

static int
is_reader(PyObject *object)
{
    if (PyObject_TypeCheck(object, &ReaderType))
        return 1;
    PyErr_SetString(PyExc_TypeError, "a Reader is needed");
    return 0;
}

static PyObject *
readings_take(Readings *self, PyObject *args)
{
    PyObject *reader, *payload;
    long long at;
    if (!PyArg_ParseTuple(args, "OSL", &reader, &payload, &at) || !is_reader(reader))
        return NULL;
    if (taken(self, (Reader *)reader, payload, at) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
readings_learn(Readings *self, PyObject *args)
{
    PyObject *reader, *payload, *told;
    long long at;
    if (!PyArg_ParseTuple(args, "OSO!L", &reader, &payload, &ToldType, &told, &at) || !is_reader(reader))
        return NULL;
    if (PyDict_GET_SIZE(self->known) >= REMEMBERED)
        PyDict_Clear(self->known);
    if (PyDict_SetItem(self->known, payload, told) < 0 || count(self, (Reader *)reader, (Told *)told, at) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
sparse(uint32_t *counts)
{
    PyObject *found = PyDict_New();
    for (int bucket = 0; found != NULL && bucket < BUCKETS; bucket++) {
        if (!counts[bucket])
            continue;
        PyObject *key = PyLong_FromLong(bucket), *value = PyLong_FromUnsignedLong(counts[bucket]);
        if (key == NULL || value == NULL || PyDict_SetItem(found, key, value) < 0)
            Py_CLEAR(found);
        Py_XDECREF(key);
        Py_XDECREF(value);
        counts[bucket] = 0;
    }
    return found;
}

static PyObject *
readings_counted(Readings *self, PyObject *Py_UNUSED(nothing))
{
    long long deliveries = self->deliveries;
    self->deliveries = 0;
    PyObject *delivery = sparse(self->delivery), *cursor = sparse(self->cursor);
    if (delivery == NULL || cursor == NULL) {
        Py_XDECREF(delivery);
        Py_XDECREF(cursor);
        return NULL;
    }
    return Py_BuildValue("LNN", deliveries, delivery, cursor);
}

static int
readings_traverse(Readings *self, visitproc visit, void *arg)
{
    Py_VISIT(self->known);
    return 0;
}

static int
readings_clear(Readings *self)
{
    Py_CLEAR(self->known);
    return 0;
}

static void
readings_dealloc(Readings *self)
{
    PyObject_GC_UnTrack(self);
    readings_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMemberDef readings_members[] = {
    {"deliveries", T_LONGLONG, offsetof(Readings, deliveries), 0, "Since they were last counted."},
    {"measure_from", T_LONGLONG, offsetof(Readings, measure_from), 0, "What was due before, in microseconds, is not."},
    {NULL},
};

static PyMethodDef readings_methods[] = {
    {"take", (PyCFunction)readings_take, METH_VARARGS, "See plain_reading.Readings.take."},
    {"learn", (PyCFunction)readings_learn, METH_VARARGS, "See plain_reading.Readings.learn."},
    {"counted", (PyCFunction)readings_counted, METH_NOARGS, "See plain_reading.Readings.counted."},
    {NULL},
};

static PyTypeObject ReadingsType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "loadtest._reading.Readings",
    .tp_doc = "See plain_reading.Readings.",
    .tp_basicsize = sizeof(Readings),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)readings_init,
    .tp_dealloc = (destructor)readings_dealloc,
    .tp_traverse = (traverseproc)readings_traverse,
    .tp_clear = (inquiry)readings_clear,
    .tp_members = readings_members,
    .tp_methods = readings_methods,
};

/* -- Sockets: WebSockets without TLS, read here --------------------------------------------------------------------- */

typedef struct {
    PyObject *reader; /* NULL: not ours, or no longer */
    char *rest;       /* the beginning of a frame whose end has not come */
    Py_ssize_t size, room;
} Place;

typedef struct {
    PyObject_HEAD
    Readings *readings;
    Place *places; /* by file descriptor */
    int many, epoll;
    char *buffer;
} Sockets;

static long long
microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static int
sockets_init(Sockets *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *readings;
    if (!PyArg_ParseTuple(args, "O!", &ReadingsType, &readings))
        return -1;
    if (self->buffer != NULL) {
        PyErr_SetString(PyExc_TypeError, "made already");
        return -1;
    }
    self->buffer = PyMem_Malloc(BUFFER);
    if (self->buffer == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    self->readings = (Readings *)Py_NewRef(readings);
    return 0;
}

static void
leave(Sockets *self, int fd)
{
    Place *place = &self->places[fd];
    epoll_ctl(self->epoll, EPOLL_CTL_DEL, fd, NULL);
    PyMem_Free(place->rest);
    place->rest = NULL;
    place->size = place->room = 0;
    Py_CLEAR(place->reader);
}

static int
sockets_clear(Sockets *self)
{
    for (int fd = 0; fd < self->many; fd++)
        if (self->places[fd].reader != NULL)
            leave(self, fd);
    Py_CLEAR(self->readings);
    return 0;
}

static int
sockets_traverse(Sockets *self, visitproc visit, void *arg)
{
    for (int fd = 0; fd < self->many; fd++)
        Py_VISIT(self->places[fd].reader);
    Py_VISIT(self->readings);
    return 0;
}

static void
sockets_dealloc(Sockets *self)
{
    PyObject_GC_UnTrack(self);
    sockets_clear(self);
    if (self->buffer != NULL && self->epoll >= 0)
        close(self->epoll);
    PyMem_Free(self->places);
    PyMem_Free(self->buffer);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Room for so many bytes of one socket. */
static int
ensure(Place *place, Py_ssize_t room)
{
    if (room <= place->room)
        return 0;
    char *rest = PyMem_Realloc(place->rest, room);
    if (rest == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    place->rest = rest;
    place->room = room;
    return 0;
}

/* Keep the beginning of a frame until its end comes. `data` may be in `rest` already. */
static int
keep(Place *place, const char *data, Py_ssize_t size)
{
    if (ensure(place, size) < 0)
        return -1;
    if (size)
        memmove(place->rest, data, size);
    else {
        PyMem_Free(place->rest);
        place->rest = NULL;
        place->room = 0;
    }
    place->size = size;
    return 0;
}

/* One frame of a server: its payload (a new reference), how long the frame is, and its kind. NULL without an error where
 * the frame is not there as a whole. */
static PyObject *
frame_in(const unsigned char *data, Py_ssize_t size, Py_ssize_t *length, int *kind)
{
    if (size < 2)
        return NULL;
    long long payload = data[1] & 127;
    Py_ssize_t head = 2;
    if (payload == 126) {
        if (size < 4)
            return NULL;
        payload = data[2] << 8 | data[3];
        head = 4;
    }
    else if (payload == 127) {
        if (size < 10)
            return NULL;
        payload = 0;
        for (int i = 2; i < 10; i++)
            payload = payload << 8 | data[i];
        head = 10;
    }
    /* No extension is asked for, servers do not mask, and none that is measured sends a message in several frames. */
    if ((data[0] & 0x70) || !(data[0] & 0x80) || (data[0] & 15) == 0 || (data[1] & 0x80)
        || payload < 0 || payload > LONGEST_FRAME) {
        PyErr_Format(PyExc_ValueError, "a frame that cannot be: %d %d, %lld bytes", data[0], data[1], payload);
        return NULL;
    }
    if (size - head < payload)
        return NULL;
    *length = head + payload;
    *kind = data[0] & 15;
    return PyBytes_FromStringAndSize((const char *)data + head, payload);
}

/* All whole frames of `data`; what is left over is kept. Anything that is called may end the connection. */
static int
frames(Sockets *self, int fd, const char *data, Py_ssize_t size)
{
    PyObject *reader = Py_NewRef(self->places[fd].reader);
    Readings *readings = (Readings *)Py_NewRef(self->readings);
    long long at = microseconds();
    int result = 0;
    while (result == 0 && size > 0) {
        Py_ssize_t length;
        int kind;
        PyObject *payload = frame_in((const unsigned char *)data, size, &length, &kind);
        if (payload == NULL) {
            result = PyErr_Occurred() ? -1 : 0;
            break;
        }
        data += length;
        size -= length;
        if (kind < 8)
            result = taken(readings, (Reader *)reader, payload, at);
        else {
            PyObject *nothing = PyObject_CallMethod(reader, "control", "iO", kind, payload);
            Py_XDECREF(nothing);
            result = nothing == NULL ? -1 : 0;
        }
        Py_DECREF(payload);
        if (fd >= self->many || self->places[fd].reader != reader)
            break;
    }
    if (fd < self->many && self->places[fd].reader == reader) {
        if (result == 0)
            result = keep(&self->places[fd], data, size);
        else
            leave(self, fd); /* nothing that follows could be trusted; the run misses its answers, and fails */
    }
    Py_DECREF(readings);
    Py_DECREF(reader);
    return result;
}

static PyObject *
sockets_watch(Sockets *self, PyObject *args)
{
    int fd;
    PyObject *reader, *rest;
    if (!PyArg_ParseTuple(args, "iOS", &fd, &reader, &rest) || !is_reader(reader))
        return NULL;
    if (fd < 0 || (fd < self->many && self->places[fd].reader != NULL)) {
        PyErr_SetString(PyExc_ValueError, "watched already, or no descriptor");
        return NULL;
    }
    if (fd >= self->many) {
        int many = fd + 1024;
        Place *places = PyMem_Realloc(self->places, many * sizeof(Place));
        if (places == NULL)
            return PyErr_NoMemory();
        memset(places + self->many, 0, (many - self->many) * sizeof(Place));
        self->places = places;
        self->many = many;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    self->places[fd].reader = Py_NewRef(reader);
    if (frames(self, fd, PyBytes_AS_STRING(rest), PyBytes_GET_SIZE(rest)) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
sockets_forget(Sockets *self, PyObject *number)
{
    long fd = PyLong_AsLong(number);
    if (fd == -1 && PyErr_Occurred())
        return NULL;
    if (fd >= 0 && fd < self->many && self->places[fd].reader != NULL)
        leave(self, (int)fd);
    Py_RETURN_NONE;
}

/* What a socket has, so far as there is room for it. */
static int
read_one(Sockets *self, int fd)
{
    Place *place = &self->places[fd];
    char *data = self->buffer;
    Py_ssize_t had = place->size, room = BUFFER;
    if (had) {
        if (place->room - had < BUFFER / 2 && ensure(place, had + BUFFER) < 0)
            return -1;
        data = place->rest + had;
        room = place->room - had;
    }
    ssize_t got = recv(fd, data, room, MSG_DONTWAIT);
    if (got > 0)
        return frames(self, fd, data - had, had + got);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    PyObject *reader = Py_NewRef(place->reader);
    leave(self, fd);
    PyObject *nothing = PyObject_CallMethodNoArgs(reader, ended_name);
    Py_XDECREF(nothing);
    Py_DECREF(reader);
    return nothing == NULL ? -1 : 0;
}

static PyObject *
sockets_ready(Sockets *self, PyObject *Py_UNUSED(nothing))
{
    struct epoll_event events[AT_A_TIME];
    int found = epoll_wait(self->epoll, events, AT_A_TIME, 0);
    if (found < 0 && errno != EINTR)
        return PyErr_SetFromErrno(PyExc_OSError);
    for (int i = 0; i < found; i++) {
        int fd = events[i].data.fd;
        if (fd < self->many && self->places[fd].reader != NULL && read_one(self, fd) < 0)
            return NULL;
    }
    return PyLong_FromLong(found > 0 ? found : 0);
}

static PyObject *
sockets_fileno(Sockets *self, PyObject *Py_UNUSED(nothing))
{
    return PyLong_FromLong(self->epoll);
}

static PyMethodDef sockets_methods[] = {
    {"watch", (PyCFunction)sockets_watch, METH_VARARGS, "watch(fd, reader, bytes that were read already)"},
    {"forget", (PyCFunction)sockets_forget, METH_O, "forget(fd): it is not read any more."},
    {"ready", (PyCFunction)sockets_ready, METH_NOARGS, "Read some of what has come; how many sockets had something."},
    {"fileno", (PyCFunction)sockets_fileno, METH_NOARGS, "Readable while any socket is."},
    {NULL},
};

static PyTypeObject SocketsType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "loadtest._reading.Sockets",
    .tp_doc = "WebSockets without TLS. `Reader.control(kind, payload)` has their control frames, `Reader.ended()` their end.",
    .tp_basicsize = sizeof(Sockets),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)sockets_init,
    .tp_dealloc = (destructor)sockets_dealloc,
    .tp_traverse = (traverseproc)sockets_traverse,
    .tp_clear = (inquiry)sockets_clear,
    .tp_methods = sockets_methods,
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "loadtest._reading",
    .m_doc = "plain_reading.py, compiled, and sockets.",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit__reading(void)
{
    read_name = PyUnicode_InternFromString("read");
    out_of_step_name = PyUnicode_InternFromString("out_of_step");
    noticed_name = PyUnicode_InternFromString("noticed");
    ended_name = PyUnicode_InternFromString("ended");
    if (read_name == NULL || out_of_step_name == NULL || noticed_name == NULL || ended_name == NULL)
        return NULL;
    PyTypeObject *types[] = {&ToldType, &ReaderType, &ReadingsType, &SocketsType};
    const char *names[] = {"Told", "Reader", "Readings", "Sockets"};
    PyObject *module = PyModule_Create(&module_definition);
    for (int i = 0; module != NULL && i < 4; i++)
        if (PyType_Ready(types[i]) < 0 || PyModule_AddObjectRef(module, names[i], (PyObject *)types[i]) < 0)
            Py_CLEAR(module);
    if (module != NULL && PyModule_AddIntConstant(module, "BUCKETS", BUCKETS) < 0)
        Py_CLEAR(module);
    return module;
}
