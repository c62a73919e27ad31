// A text area for YAML with line numbers and colours behind it; what is too large never leaves the browser.
const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

function coloured(line) {
  const found = line.match(/^(\s*(?:- )*)((?:"[^"]*"|[^\s#:{}\[\],"']+):)?(.*?)(\s#.*|^#.*)?$/);
  if (!found) return escape(line);
  const [, indent, key, rest, comment] = found;
  return escape(indent) + (key ? `<b>${escape(key)}</b>` : "") + escape(rest ?? "") + (comment ? `<i>${escape(comment)}</i>` : "");
}

export default {
  template: `
    <div class="yaml">
      <div class="yaml-lines" aria-hidden="true"><div ref="numbers"></div></div>
      <div class="yaml-text">
        <pre ref="behind" aria-hidden="true"></pre>
        <textarea ref="area" spellcheck="false" autocapitalize="off" autocomplete="off" wrap="off"
          :aria-label="label" :aria-describedby="describedby" :id="areaid" @input="typed" @change="now" @scroll="scrolled"
          @drop.prevent="dropped" @dragover.prevent></textarea>
      </div>
    </div>`,
  props: { value: String, label: String, describedby: String, areaid: String, largest: Number, marks: Array },
  mounted() { this.take(this.value); },
  unmounted() { clearTimeout(this.timer); if (this.frame) cancelAnimationFrame(this.frame); },
  watch: {
    value(text) { this.take(text); },
    marks() { this.number(); },
  },
  methods: {
    take(text) {
      const area = this.$refs.area;
      if (!area) return;
      this.told = text;
      if (area.value !== text) {
        const [start, end, top, left] = [area.selectionStart, area.selectionEnd, area.scrollTop, area.scrollLeft];
        area.value = text;
        if (document.activeElement === area) area.setSelectionRange(start, end);
        area.scrollTop = top; area.scrollLeft = left;
      }
      this.draw();
    },
    draw() {
      const lines = this.$refs.area.value.split("\n");
      this.$refs.behind.innerHTML = lines.length > 6000 ? escape(lines.join("\n")) : lines.map(coloured).join("\n") + "\n";
      this.number();
      this.scrolled();
    },
    number() {
      const wrong = new Set(this.marks || []);
      const count = this.$refs.area.value.split("\n").length;
      const shown = `${count} ${[...wrong]}`;
      if (shown === this.numbered) return;
      this.numbered = shown;
      let html = "";
      for (let at = 1; at <= count; at++) html += wrong.has(at) ? `<em>✕ ${at}</em>\n` : `${at}\n`;
      this.$refs.numbers.innerHTML = html;
    },
    typed() {
      // a paste comes as an event a line: what stands behind is drawn once a frame
      this.frame ??= requestAnimationFrame(() => { this.frame = undefined; this.draw(); });
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.tell(), 350);
    },
    now() {
      clearTimeout(this.timer);
      this.tell();
    },
    tell() {
      const text = this.$refs.area.value;
      if (text === this.told) return;
      this.told = text;
      if (text.length > this.largest) this.$emit("toolarge", text.length);
      else this.$emit("typed", text);
    },
    async dropped(event) {
      const file = event.dataTransfer.files?.[0];
      if (!file) return;
      if (file.size > this.largest) { this.$emit("toolarge", file.size); return; }
      const text = new TextDecoder("utf-8").decode(await file.arrayBuffer());
      this.$refs.area.value = text;
      this.draw();
      this.$emit("typed", text);
    },
    scrolled() {
      const area = this.$refs.area;
      this.$refs.behind.style.transform = `translate(${-area.scrollLeft}px, ${-area.scrollTop}px)`;
      this.$refs.numbers.style.transform = `translateY(${-area.scrollTop}px)`;
    },
    goto(line) {
      const area = this.$refs.area;
      const lines = area.value.split("\n");
      const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
      area.focus();
      area.setSelectionRange(start, start + (lines[line - 1] || "").length);
      area.scrollTop = Math.max(0, (line - 6) * parseFloat(getComputedStyle(area).lineHeight));
    },
  },
};
