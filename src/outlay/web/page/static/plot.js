// A figure that plotly.js draws once it comes near the window, and again when its data change.
export default {
  template: '<div class="plot"></div>',
  props: { figure: Object },
  data: () => ({ near: false, drawn: false }),
  mounted() {
    this.observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        this.near = true;
        this.observer.disconnect();
        this.draw();
      }
    }, { rootMargin: "500px" });
    this.observer.observe(this.$el);
    this.sizes = new ResizeObserver(() => this.drawn && this.Plotly.Plots.resize(this.$el));
    this.sizes.observe(this.$el);
    this.print = () => { this.near = true; this.draw(); };
    window.addEventListener("beforeprint", this.print);
  },
  unmounted() {
    this.observer?.disconnect();
    this.sizes?.disconnect();
    window.removeEventListener("beforeprint", this.print);
    if (this.drawn) this.Plotly.purge(this.$el);
  },
  watch: { figure: { handler() { this.draw(); }, deep: false } },
  methods: {
    async draw() {
      if (!this.near) return;
      this.Plotly ??= (await import("nicegui-plotly")).Plotly;
      if (!this.$el?.isConnected) return;
      await this.Plotly.react(this.$el, JSON.parse(JSON.stringify(this.figure)));
      if (this.drawn) return;
      this.drawn = true;
      this.$el.on("plotly_click", (event) => {
        const point = event.points?.[0];
        if (!point) return;
        // points of a Sankey point at each other; only what names them is sent
        const link = point.source !== undefined && point.target !== undefined;
        this.$emit("pick", { curve: point.curveNumber ?? 0, point: point.pointNumber ?? point.index, link });
      });
      this.$el.dataset.drawn = "yes";
    },
    async picture(format, name) {
      this.near = true;
      await this.draw();
      await this.Plotly.downloadImage(this.$el, { format, filename: name, width: 1200, height: Math.max(420, this.$el.clientHeight) });
    },
  },
};
