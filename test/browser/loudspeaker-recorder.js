// In the page of a test: whatever goes to a loudspeaker is kept too, by an audio worklet beside it. `heard()` gives it.
(() => {
  const code = `registerProcessor('recorder', class extends AudioWorkletProcessor {
    kept = [];
    constructor() {
      super();
      this.port.onmessage = () => this.port.postMessage({ kept: this.kept, rate: sampleRate });
    }
    process([input]) {
      this.kept.push(Int16Array.from(input[0] ?? new Float32Array(128), (sample) => Math.round(sample * 32767)));
      return true;
    }
  });`;
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    const { context } = this;
    if (target === context.destination) {
      attach(this, context).catch((error) => {
        // A page that has given the sound back meanwhile has nothing to record.
        if (context.state !== 'closed') throw error;
      });
    }
    return connect.call(this, target, ...rest);
  };
  const attach = async (source, context) => {
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
    const node = new AudioWorkletNode(context, 'recorder', { numberOfOutputs: 0, channelCount: 1, channelCountMode: 'explicit' });
    connect.call(source, node);
    window.heard = () =>
      new Promise((resolve) => {
        node.port.onmessage = async ({ data: { kept, rate } }) => {
          const url = await new Promise((read) => {
            const reader = new FileReader();
            reader.onload = () => read(reader.result);
            reader.readAsDataURL(new Blob(kept));
          });
          resolve({ rate, samples: url.slice(url.indexOf(',') + 1) });
        };
        node.port.postMessage('now');
      });
  };
})();
