// A box for a story: pasted, typed, dropped or opened as a file; what is too large or has no text is told, not sent.
function slim(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  page.querySelectorAll("script:not([type='application/ld+json']), style, svg, img, iframe, noscript, template").forEach((part) => part.remove());
  return "<!doctype html>" + page.documentElement.outerHTML;
}

const base64 = (bytes) => {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 32768) binary += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(binary);
};

export default {
  template: `
    <div class="story-box" :class="{ over }" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="dropped">
      <textarea ref="area" :id="areaid" :aria-label="label" :aria-describedby="describedby" :placeholder="placeholder" rows="7"
        @keydown.ctrl.enter="send" @keydown.meta.enter="send"></textarea>
      <label class="button file"><span>{{ openlabel }}</span><input type="file" :id="fileid" accept=".txt,.html,.htm,.md,text/*" @change="chosen"></label>
    </div>`,
  props: { initial: String, label: String, placeholder: String, describedby: String, areaid: String, fileid: String, openlabel: String,
    longest: Number, largest: Number },
  data: () => ({ over: false }),
  mounted() { this.$refs.area.value = this.initial ?? ""; },
  methods: {
    send() {
      const text = this.$refs.area.value;
      if (text.length > this.longest) this.$emit("toolarge", text.length);
      else this.$emit("story", { text });
    },
    chosen(event) {
      const file = event.target.files[0];
      event.target.value = "";
      if (file) this.take(file);
    },
    dropped(event) {
      this.over = false;
      const file = event.dataTransfer.files?.[0];
      if (file) { this.take(file); return; }
      const text = event.dataTransfer.getData("text/plain");
      if (text) { this.$refs.area.value = text; this.send(); }
    },
    async take(file) {
      let bytes = new Uint8Array(await file.arrayBuffer());
      if (/html/.test(file.type) || /\.html?$/i.test(file.name)) bytes = new TextEncoder().encode(slim(new TextDecoder().decode(bytes)));
      if (bytes.length > this.largest) this.$emit("toolarge", bytes.length);
      else this.$emit("story", { name: file.name, base64: base64(bytes) });
    },
    put(text) { this.$refs.area.value = text; },
  },
};
