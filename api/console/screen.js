// The order book and the last trades of one instrument. Built once; `apply` takes what has changed since the last call.
export default {
  template: `
    <div class="gx-screen">
      <div class="gx-facts">
        <div v-for="name in ['phase', 'last', 'best_bid', 'best_ask', 'spread', 'traded', 'indicative']"
             :key="name" v-show="name !== 'indicative' || facts.indicative" class="gx-fact" :data-fact="name">
          <span class="gx-label">{{ words[name] }}</span>
          <span class="gx-value">{{ (name === 'phase' ? words[facts.phase] : facts[name]) || '–' }}</span>
        </div>
      </div>
      <div class="gx-panels">
        <div class="gx-panel gx-book">
          <div class="gx-head"><span>{{ words.price }}</span><span>{{ words.quantity }}</span></div>
          <div v-for="side in ['asks', 'bids']" :key="side" :class="'gx-side gx-' + side" :data-side="side">
            <div v-for="(row, index) in sides[side]" :key="index" class="gx-row">
              <div class="gx-bar" :style="{ width: row[2] + '%' }"></div>
              <span class="gx-price">{{ row[0] }}</span><span class="gx-quantity">{{ row[1] }}</span>
            </div>
          </div>
        </div>
        <div class="gx-panel gx-trades">
          <div class="gx-head"><span>{{ words.trades }} · {{ words.time }}</span><span>{{ words.price }}</span>
            <span>{{ words.quantity }}</span></div>
          <div v-for="trade in trades" :key="trade[0]" :class="'gx-row gx-taker-' + trade[4]">
            <span>{{ trade[1] }}</span><span class="gx-price">{{ trade[2] }}</span><span>{{ trade[3] }}</span>
          </div>
        </div>
      </div>
    </div>`,
  props: { words: Object, levels: Number, tape: Number },
  data() {
    return this.empty();
  },
  methods: {
    empty() {
      const rows = () => Array.from({ length: this.levels }, () => ["", "", 0]);
      return { sides: { asks: rows(), bids: rows() }, trades: [], facts: {} };
    },
    // delta: { reset?, facts?: {...}, asks?: [[index, price, quantity, percent], ...], bids?, trades?: [newest first],
    // tape?: [all trades, newest first] }
    apply(delta) {
      if (delta.reset) Object.assign(this, this.empty());
      Object.assign(this.facts, delta.facts || {});
      for (const side of ["asks", "bids"])
        for (const [index, ...row] of delta[side] || []) this.sides[side][index] = row;
      if (delta.tape) this.trades = delta.tape;
      if (delta.trades) this.trades = [...delta.trades, ...this.trades].slice(0, this.tape);
    },
  },
};
