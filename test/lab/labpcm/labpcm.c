/*
 * labpcm: sound cards made of shared memory, for tests. An ALSA plug-in (ioplug) with the timing of a real card: no kernel
 * driver, no daemon, no privileges.
 *
 * Each PCM of this type is one end of a "wire", a file that is mapped into memory:
 *
 *      offset 0                                 ring of 2^19 mono samples, signed 16 bit
 *      offset 2^20                              int32: not 0 while the card is unplugged
 *
 * Sample number n of a wire is the one that is at the connector at CLOCK_MONOTONIC = n / rate seconds, and lives in slot
 * n mod 2^19. Playback writes samples ahead of that time, capture reads them once it has come and puts zeros behind itself.
 * So both ends agree without talking to each other, and a test may be one of the ends by reading and writing the file.
 *
 *      pcm_type.labpcm { lib "/path/libasound_module_pcm_labpcm.so" }
 *      pcm.handset { type labpcm  playback "/tmp/x/ear"  capture "/tmp/x/mouth"  rate 8000  ppm 0 }
 *
 *      playback, capture   the wires; a direction without a wire cannot be opened
 *      rate                the only rate the card offers (default 8000)
 *      channels            the only number of channels it offers (default 1); all carry the same sound
 *      ppm                 how much faster than CLOCK_MONOTONIC the card's crystal runs
 *
 * cc -O2 -Wall -Wextra -fPIC -shared -DPIC labpcm.c -o libasound_module_pcm_labpcm.so -lasound
 */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define RING_SAMPLES (1u << 19)
#define RING_BYTES (RING_SAMPLES * sizeof(int16_t))
#define WIRE_BYTES (RING_BYTES + sizeof(int32_t))

/* One open PCM. Positions are in samples since start. */
typedef struct {
  snd_pcm_ioplug_t io;
  int16_t *ring;
  volatile int32_t *unplugged;
  long ppm;
  int running;
  int64_t origin;      /* sample number of the wire at which the PCM started */
  int64_t transferred; /* samples the application has written or read */
  int16_t *prefill;    /* what playback wrote before start: its place on the wire is not known until then */
} labpcm_t;

/* The sample number that is at the connector now, by this card's own crystal. */
static int64_t wire_now(const labpcm_t *pcm) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  int64_t ns = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
  ns += ns / 1000000 * pcm->ppm;
  return ns / 1000000000 * pcm->io.rate + ns % 1000000000 * pcm->io.rate / 1000000000;
}

static int16_t *slot(const labpcm_t *pcm, int64_t sample) {
  return &pcm->ring[sample & (RING_SAMPLES - 1)];
}

static int is_playback(const labpcm_t *pcm) {
  return pcm->io.stream == SND_PCM_STREAM_PLAYBACK;
}

/* ALSA sleeps on poll_fd, which is a timer: it looks whether a period is through several times per period. */
static void wake_every(labpcm_t *pcm, int64_t ns) {
  struct itimerspec interval = {{0, ns}, {0, ns}};
  timerfd_settime(pcm->io.poll_fd, 0, &interval, NULL);
}

static int labpcm_prepare(snd_pcm_ioplug_t *io) {
  labpcm_t *pcm = io->private_data;
  pcm->running = 0;
  pcm->transferred = 0;
  free(pcm->prefill);
  pcm->prefill = calloc(io->buffer_size, sizeof(int16_t));
  if (!pcm->prefill) return -ENOMEM;
  wake_every(pcm, 2000000); /* before start too, so that a writer in poll() can fill the buffer */
  return 0;
}

static int labpcm_start(snd_pcm_ioplug_t *io) {
  labpcm_t *pcm = io->private_data;
  pcm->origin = wire_now(pcm);
  pcm->running = 1;
  if (is_playback(pcm)) {
    for (int64_t i = 0; i < pcm->transferred; i++) *slot(pcm, pcm->origin + i) = pcm->prefill[i % io->buffer_size];
  }
  int64_t quarter = (int64_t)io->period_size * 1000000000 / io->rate / 4;
  wake_every(pcm, quarter < 500000 ? 500000 : quarter > 5000000 ? 5000000 : quarter);
  return 0;
}

static int labpcm_stop(snd_pcm_ioplug_t *io) {
  labpcm_t *pcm = io->private_data;
  pcm->running = 0;
  wake_every(pcm, 0);
  return 0;
}

/* Where the hardware is in the buffer; -EPIPE when the application was too late, as a real card says. */
static snd_pcm_sframes_t labpcm_pointer(snd_pcm_ioplug_t *io) {
  labpcm_t *pcm = io->private_data;
  if (*pcm->unplugged) return -ENODEV;
  if (!pcm->running) return 0;
  int64_t elapsed = wire_now(pcm) - pcm->origin;
  int late = is_playback(pcm) ? elapsed > pcm->transferred : elapsed - pcm->transferred > (int64_t)io->buffer_size;
  if (late) {
    pcm->running = 0;
    return -EPIPE;
  }
  return elapsed % io->buffer_size;
}

static void transfer_sample(labpcm_t *pcm, int64_t position, const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t frame) {
  int16_t *first = (int16_t *)((char *)areas[0].addr + (areas[0].first + (size_t)areas[0].step * frame) / 8);
  if (is_playback(pcm)) {
    if (pcm->running) *slot(pcm, pcm->origin + position) = *first;
    else pcm->prefill[position % pcm->io.buffer_size] = *first;
    return;
  }
  int16_t *source = slot(pcm, pcm->origin + position);
  for (unsigned channel = 0; channel < pcm->io.channels; channel++) {
    *(int16_t *)((char *)areas[channel].addr + (areas[channel].first + (size_t)areas[channel].step * frame) / 8) = *source;
  }
  *source = 0;
}

static snd_pcm_sframes_t labpcm_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset,
                                         snd_pcm_uframes_t size) {
  labpcm_t *pcm = io->private_data;
  for (snd_pcm_uframes_t i = 0; i < size; i++) transfer_sample(pcm, pcm->transferred + i, areas, offset + i);
  pcm->transferred += size;
  return size;
}

static int labpcm_poll_revents(snd_pcm_ioplug_t *io, struct pollfd *fds, unsigned count, unsigned short *revents) {
  labpcm_t *pcm = io->private_data;
  uint64_t expirations;
  (void)count;
  if (fds[0].revents & POLLIN) (void)!read(io->poll_fd, &expirations, sizeof expirations);
  if (*pcm->unplugged) {
    *revents = POLLERR | POLLHUP;
    return 0;
  }
  int64_t elapsed = pcm->running ? wire_now(pcm) - pcm->origin : 0;
  int64_t available = is_playback(pcm) ? (int64_t)io->buffer_size - (pcm->transferred - elapsed) : elapsed - pcm->transferred;
  *revents = available >= (int64_t)io->period_size ? (is_playback(pcm) ? POLLOUT : POLLIN) : 0;
  return 0;
}

static int labpcm_close(snd_pcm_ioplug_t *io) {
  labpcm_t *pcm = io->private_data;
  munmap(pcm->ring, WIRE_BYTES);
  close(io->poll_fd);
  free(pcm->prefill);
  free(pcm);
  return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
    .start = labpcm_start,
    .stop = labpcm_stop,
    .pointer = labpcm_pointer,
    .transfer = labpcm_transfer,
    .close = labpcm_close,
    .prepare = labpcm_prepare,
    .poll_revents = labpcm_poll_revents,
};

static int map_wire(labpcm_t *pcm, const char *path) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  void *memory = ftruncate(fd, WIRE_BYTES) ? MAP_FAILED : mmap(NULL, WIRE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  int error = errno;
  close(fd);
  if (memory == MAP_FAILED) return -error;
  pcm->ring = memory;
  pcm->unplugged = (int32_t *)(pcm->ring + RING_SAMPLES);
  return 0;
}

static int offer_parameters(snd_pcm_ioplug_t *io, unsigned rate, unsigned channels) {
  static const unsigned access[] = {SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_MMAP_INTERLEAVED,
                                    SND_PCM_ACCESS_RW_NONINTERLEAVED, SND_PCM_ACCESS_MMAP_NONINTERLEAVED};
  static const unsigned format[] = {SND_PCM_FORMAT_S16_LE};
  int error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 4, access);
  if (!error) error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, format);
  if (!error) error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, channels, channels);
  if (!error) error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, rate, rate);
  if (!error) error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 32, 32768);
  if (!error) error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 64, 131072);
  if (!error) error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 2, 64);
  return error;
}

/* A new PCM on the wire at `path`, or a negative error number. Nothing is left behind on failure. */
static int create(const char *path, const char *name, snd_pcm_stream_t stream, int mode, labpcm_t **created) {
  labpcm_t *pcm = calloc(1, sizeof *pcm);
  if (!pcm) return -ENOMEM;
  int error = map_wire(pcm, path);
  if (error) {
    free(pcm);
    return error;
  }
  pcm->io.version = SND_PCM_IOPLUG_VERSION;
  pcm->io.name = "labpcm";
  pcm->io.callback = &callbacks;
  pcm->io.private_data = pcm;
  pcm->io.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  pcm->io.poll_events = POLLIN;
  error = *pcm->unplugged ? -ENODEV : pcm->io.poll_fd < 0 ? -errno : snd_pcm_ioplug_create(&pcm->io, name, stream, mode);
  if (error) {
    if (pcm->io.poll_fd >= 0) close(pcm->io.poll_fd);
    munmap(pcm->ring, WIRE_BYTES);
    free(pcm);
    return error;
  }
  *created = pcm;
  return 0;
}

SND_PCM_PLUGIN_DEFINE_FUNC(labpcm) {
  const char *playback = NULL, *capture = NULL;
  long rate = 8000, channels = 1, ppm = 0;
  snd_config_iterator_t i, next;
  (void)root;
  snd_config_for_each(i, next, conf) {
    snd_config_t *entry = snd_config_iterator_entry(i);
    const char *id;
    if (snd_config_get_id(entry, &id) < 0) continue;
    if (!strcmp(id, "playback")) snd_config_get_string(entry, &playback);
    else if (!strcmp(id, "capture")) snd_config_get_string(entry, &capture);
    else if (!strcmp(id, "rate")) snd_config_get_integer(entry, &rate);
    else if (!strcmp(id, "channels")) snd_config_get_integer(entry, &channels);
    else if (!strcmp(id, "ppm")) snd_config_get_integer(entry, &ppm);
  }
  const char *path = stream == SND_PCM_STREAM_PLAYBACK ? playback : capture;
  if (!path) return -ENODEV;
  labpcm_t *pcm;
  int error = create(path, name, stream, mode, &pcm);
  if (error) return error;
  pcm->ppm = ppm;
  error = offer_parameters(&pcm->io, rate, channels);
  if (error) {
    snd_pcm_ioplug_delete(&pcm->io);
    return error;
  }
  *pcmp = pcm->io.pcm;
  return 0;
}
SND_PCM_PLUGIN_SYMBOL(labpcm);
