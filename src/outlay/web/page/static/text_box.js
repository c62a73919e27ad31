// A line of text: what a person types is theirs, and changes from the server come only when it says so.
export default {
  template: '<input ref="box" @input="typed" @change="now" autocomplete="off" spellcheck="false">',
  props: { initial: String },
  unmounted() { clearTimeout(this.timer); },
  mounted() { this.$refs.box.value = this.initial ?? ""; },
  methods: {
    typed() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.tell(), 120);
    },
    now() {
      clearTimeout(this.timer);
      this.tell();
    },
    tell() {
      const text = this.$refs.box.value;
      if (text === this.told) return;
      this.told = text;
      this.$emit("typed", text);
    },
    put(text) {
      clearTimeout(this.timer);
      this.told = text;
      this.$refs.box.value = text;
    },
  },
};
