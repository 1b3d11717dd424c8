// Looks for small circuits of one DES S-box, and prints the best that it found.
//
//   search BOX INPUTS SEED ROUNDS STEPS    BOX 1 to 8, INPUTS of a gate 2 or 3
//
// The same arguments find the same circuit. What is counted are instructions: the gates, and the four XORs of the
// outputs into the other half of the block, less those which a three-input gate does on the way. Negations cost
// nothing: a gate may be any function of its inputs (the printer moves negations about until only AND, OR, XOR and
// AND-NOT are left), and an output may be the complement of what is wanted (generate.mjs says where that goes).
//
// A function of six bits is 64 bits, so all inputs are tried at once in one word.
//
// 1. Build: each output in turn, in random order. If a gate over what is there already equals the wanted function
//    wherever it matters, take it; else split on a random input bit, and build both halves with the other half as
//    "does not matter".
// 2. Walk: take a random gate; flip it to see for which inputs any output would notice; look for any other gate,
//    over any others, that agrees there. Put it in its place. What nobody uses any more is gone: this is how the
//    circuit shrinks. Exchanges that save nothing are made as well, since they lead to where something is saved.
// 3. Break: take an output of the best circuit away, build it anew, and walk from there.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "boxes.h"

namespace {

using Table = uint64_t;
constexpr Table kAll = ~Table{0};
constexpr int kInputs = 6;
constexpr int kOutputs = 4;
constexpr int kMaxNodes = 112;

int arity = 2;
std::mt19937 dice;
Table wanted[kOutputs];

uint32_t Below(uint32_t limit) { return static_cast<uint32_t>((uint64_t{dice()} * limit) >> 32); }

// Bit (a << 2 | b << 1 | c) of `function` is the gate's value; a gate of two inputs has c = b and ignores it.
struct Gate {
  int in[3];
  uint8_t function;
};

Table Apply(uint8_t function, Table a, Table b, Table c) {
  Table result = 0;
  for (int i = 0; i < 8; i++) {
    if (function >> i & 1) result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  }
  return result;
}

// Nodes 0 to 5 are the inputs; gates follow, each after those it reads.
struct Circuit {
  int nodes = kInputs;
  Gate gate[kMaxNodes];
  Table value[kMaxNodes];
  int output[kOutputs] = {-1, -1, -1, -1};

  Circuit() {
    for (int i = 0; i < kInputs; i++) value[i] = floatgate::DesBoxInput(i);
  }

  int Add(const Gate& g) {
    if (nodes == kMaxNodes) std::abort();
    gate[nodes] = g;
    value[nodes] = Apply(g.function, value[g.in[0]], value[g.in[1]], value[g.in[2]]);
    return nodes++;
  }
};

// Whether the gate depends on its inputs 0, 1 and 2.
bool Depends(uint8_t f, int input) {
  int stride = 4 >> input;
  for (int i = 0; i < 8; i++) {
    if (!(i & stride) && ((f >> i ^ f >> (i + stride)) & 1)) return true;
  }
  return false;
}

int Needs(uint8_t f) { return Depends(f, 0) + Depends(f, 1) + Depends(f, 2); }

// Sorts the gates so that each stands after what it reads, and leaves out those that no output needs.
void Tidy(Circuit& c) {
  // A gate that ignores an input reads one of its others there.
  for (int n = kInputs; n < c.nodes; n++) {
    Gate& g = c.gate[n];
    int used = Depends(g.function, 0) ? g.in[0] : Depends(g.function, 1) ? g.in[1] : g.in[2];
    for (int k = 0; k < 3; k++) {
      if (!Depends(g.function, k)) g.in[k] = used;
    }
  }
  Circuit tidy;
  int place[kMaxNodes];
  std::fill(place, place + kMaxNodes, -1);
  for (int i = 0; i < kInputs; i++) place[i] = i;
  // Depth first, without recursion.
  int stack[kMaxNodes * 4], depth = 0;
  for (int o : c.output) {
    if (o < 0) continue;
    stack[depth++] = o;
    while (depth > 0) {
      int n = stack[depth - 1];
      if (place[n] >= 0) {
        depth--;
        continue;
      }
      bool ready = true;
      for (int k = 0; k < 3; k++) {
        int in = c.gate[n].in[k];
        if (place[in] < 0) {
          stack[depth++] = in;
          ready = false;
          break;
        }
      }
      if (!ready) continue;
      Gate g = c.gate[n];
      for (int& in : g.in) in = place[in];
      place[n] = tidy.Add(g);
      depth--;
    }
  }
  for (int i = 0; i < kOutputs; i++) tidy.output[i] = c.output[i] < 0 ? -1 : place[c.output[i]];
  c = tidy;
}

int Cost(const Circuit& c) {
  int cost = c.nodes - kInputs;
  for (int o : c.output) {
    if (o < 0) continue;
    bool folds = arity == 3 && o >= kInputs && Needs(c.gate[o].function) <= 2;
    for (int n = kInputs; folds && n < c.nodes; n++) {
      for (int k = 0; k < 3; k++) folds = folds && !(c.gate[n].in[k] == o && Depends(c.gate[n].function, k));
    }
    int times = 0;
    for (int other : c.output) times += other == o;
    if (!folds || times > 1) cost++;
  }
  return cost;
}

// A gate over nodes a, b, c that is `target` wherever `care` says; what does not matter is random.
bool Fit(const Circuit& c, int ia, int ib, int ic, Table target, Table care, Gate& gate) {
  Table a = c.value[ia], b = c.value[ib], d = c.value[ic];
  uint8_t function = 0;
  for (int i = 0; i < 8; i++) {
    if (ib == ic && ((i >> 1 ^ i) & 1)) continue;
    Table cell = care & (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? d : ~d);
    Table on = cell & target;
    if (on != 0 && on != cell) return false;
    if (cell == 0 ? Below(2) != 0 : on != 0) function |= static_cast<uint8_t>(1 << i);
  }
  if (ib == ic) {
    // c = b: make it blind to c.
    if (function & 1) function |= 2;
    if (function & 8) function |= 4;
    if (function & 16) function |= 32;
    if (function & 128) function |= 64;
  }
  gate = {{ia, ib, ic}, function};
  return true;
}

// The third input that separates what the first two leave together, for some order of `from`.
bool FindGate(const Circuit& c, const int* from, int count, Table target, Table care, Gate& gate) {
  Table on = target & care, off = ~target & care;
  for (int i = 0; i < count; i++) {
    Table a = c.value[from[i]];
    for (int j = i + 1; j < count; j++) {
      Table b = c.value[from[j]];
      Table open = 0, opens[4];
      int cells = 0;
      for (int k = 0; k < 4; k++) {
        Table cell = (k & 2 ? a : ~a) & (k & 1 ? b : ~b);
        if ((cell & on) && (cell & off)) {
          opens[cells++] = cell;
          open |= cell;
        }
      }
      if (cells == 0) return Fit(c, from[i], from[j], from[j], target, care, gate);
      if (arity == 2) continue;
      for (int k = j + 1; k < count; k++) {
        Table d = c.value[from[k]];
        bool fits = true;
        for (int m = 0; m < cells && fits; m++) {
          Table cell = opens[m];
          fits = !((cell & d & on) && (cell & d & off)) && !((cell & ~d & on) && (cell & ~d & off));
        }
        if (fits) return Fit(c, from[i], from[j], from[k], target, care, gate);
      }
    }
  }
  return false;
}

void Shuffle(int* items, int count) {
  for (int i = count - 1; i > 0; i--) std::swap(items[i], items[Below(static_cast<uint32_t>(i + 1))]);
}

// Two gates: a gate over `from` that is, with one more node (of two inputs) or two more (of three), `target`. For
// each value of those, the inner gate must be the target or its complement if the target changes there, and may be
// anything if it does not.
bool FindTwo(Circuit& c, const int* from, int count, Table target, Table care, int& found) {
  Table on = target & care, off = ~target & care;
  for (int i = 0; i < count; i++) {
    Table a = c.value[from[i]];
    int last = arity == 3 ? count : i + 2;
    for (int j = i + 1; j < last; j++) {
      bool pair = arity == 3;
      Table b = pair ? c.value[from[j]] : a;
      Table opens[4], open = 0;
      int cells = 0;
      for (int k = 0; k < 4; k++) {
        Table cell = (k & 2 ? a : ~a) & (k & 1 ? b : ~b);
        if ((cell & on) && (cell & off)) {
          opens[cells++] = cell;
          open |= cell;
        }
      }
      if (cells == (pair ? 4 : 2) && (pair || Below(2))) continue;  // the dearest, and seldom of use
      for (int signs = 0; signs < 1 << (cells - 1); signs++) {
        Table inner = target;
        for (int m = 1; m < cells; m++) {
          if (signs >> (m - 1) & 1) inner ^= opens[m];
        }
        Gate gate;
        if (!FindGate(c, from, count, inner, care & open, gate)) continue;
        int n = c.Add(gate);
        Gate outer;
        if (!Fit(c, n, from[i], pair ? from[j] : from[i], target, care, outer)) std::abort();
        found = c.Add(outer);
        return true;
      }
    }
  }
  return false;
}

// Adds gates until a node is `target` wherever `care` says; answers the node, or -1 where that takes more than
// `most` nodes in all.
int Build(Circuit& c, Table target, Table care, unsigned free_inputs, int most) {
  for (int n = 0; n < c.nodes; n++) {
    Table differs = (c.value[n] ^ target) & care;
    if (differs == 0) return n;
  }
  if (c.nodes >= most) return -1;
  int from[kMaxNodes];
  for (int n = 0; n < c.nodes; n++) from[n] = n;
  Shuffle(from, c.nodes);
  Gate gate;
  if (FindGate(c, from, c.nodes, target, care, gate)) return c.Add(gate);
  if (c.nodes + 1 >= most) return -1;
  int found;
  if (__builtin_popcountll(care) <= 32 && FindTwo(c, from, c.nodes, target, care, found)) return found;
  if (c.nodes + 2 >= most) return -1;

  int choices[kInputs], count = 0;
  for (int i = 0; i < kInputs; i++) {
    if (free_inputs >> i & 1) choices[count++] = i;
  }
  Shuffle(choices, count);
  static constexpr int kWidth[kInputs + 1] = {1, 1, 1, 1, 2, 3, 6};
  int tries = std::min(count, kWidth[count]);
  Circuit best;
  int answer = -1;
  for (int t = 0; t < tries; t++) {
    int by = choices[t];
    unsigned rest = free_inputs & ~(1u << by);
    Circuit next = c;
    bool up = Below(2);
    Table x = up ? c.value[by] : ~c.value[by];
    int gates = arity == 3 ? 1 : 2;
    int first = Build(next, target, care & ~x, rest, most - gates);
    if (first < 0) continue;
    // Two inputs: first ^ (x & second). Three: a choice.
    Table other = arity == 3 ? target : target ^ next.value[first];
    int second = Build(next, other, care & x, rest, most - gates);
    if (second < 0) continue;
    int last;
    if (arity == 3) {
      last = next.Add({{by, first, second}, static_cast<uint8_t>(up ? 0b10101100 : 0b11001010)});
    } else {
      // Gates of (a, b, b): a & b is 0b11000000 there, ~a & b 0b00001100, a ^ b 0b00111100; c does not matter.
      int part = next.Add({{by, second, second}, static_cast<uint8_t>(up ? 0b11000000 : 0b00001100)});
      last = next.Add({{first, part, part}, 0b00111100});
    }
    if (answer < 0 || next.nodes < best.nodes) {
      best = next;
      answer = last;
      most = std::min(most, best.nodes - 1);
    }
  }
  if (answer >= 0) c = best;
  return answer;
}

// Answers false where it takes more than `most` nodes.
bool BuildMissing(Circuit& c, int most) {
  int order[kOutputs] = {0, 1, 2, 3};
  Shuffle(order, kOutputs);
  for (int o : order) {
    if (c.output[o] < 0) c.output[o] = Build(c, wanted[o], kAll, 63, most);
    if (c.output[o] < 0) return false;
  }
  Tidy(c);
  return true;
}

bool Right(const Circuit& c) {
  for (int o = 0; o < kOutputs; o++) {
    Table v = c.value[c.output[o]];
    if (v != wanted[o] && v != ~wanted[o]) return false;
  }
  return true;
}

// One exchange of a random gate. Answers false where none was found.
bool Step(Circuit& c) {
  int chosen = kInputs + static_cast<int>(Below(static_cast<uint32_t>(c.nodes - kInputs)));
  // What depends on it, and for which inputs an output would notice.
  bool above[kMaxNodes] = {};
  Table flipped[kMaxNodes];
  for (int n = 0; n < c.nodes; n++) {
    flipped[n] = c.value[n];
    if (n == chosen) {
      above[n] = true;
      flipped[n] = ~c.value[n];
    } else if (n > chosen) {
      const Gate& g = c.gate[n];
      if (above[g.in[0]] || above[g.in[1]] || above[g.in[2]]) {
        above[n] = true;
        flipped[n] = Apply(g.function, flipped[g.in[0]], flipped[g.in[1]], flipped[g.in[2]]);
      }
    }
  }
  Table care = 0;
  for (int o : c.output) care |= flipped[o] ^ c.value[o];
  // An output that is the gate itself may come out upside down, but then everywhere; so it is wanted as it is.
  Table target = c.value[chosen];

  int from[kMaxNodes], count = 0;
  for (int n = 0; n < c.nodes; n++) {
    if (!above[n]) from[count++] = n;
  }
  Shuffle(from, count);
  Circuit next = c;
  for (int i = 0; i < count; i++) {
    int n = from[i];
    bool same = ((c.value[n] ^ target) & care) == 0;
    bool opposite = ((~c.value[n] ^ target) & care) == 0;
    if (!same && !opposite) continue;
    next.gate[chosen] = {{n, n, n}, static_cast<uint8_t>(same ? 0b10000000 : 0b00000001)};
    // A wire is no gate: its readers read the node itself.
    for (int m = 0; m < next.nodes; m++) {
      if (m < kInputs || m == chosen) continue;
      Gate& g = next.gate[m];
      for (int k = 0; k < 3; k++) {
        if (g.in[k] != chosen) continue;
        g.in[k] = n;
        if (!opposite) continue;
        uint8_t f = 0;
        for (int b = 0; b < 8; b++) {
          if (g.function >> (b ^ (4 >> k)) & 1) f |= static_cast<uint8_t>(1 << b);
        }
        g.function = f;
      }
    }
    for (int& o : next.output) {
      if (o == chosen) o = n;
    }
    Tidy(next);
    if (!Right(next)) return false;
    c = next;
    return true;
  }
  Gate gate;
  if (!FindGate(c, from, count, target, care, gate)) return false;
  next.gate[chosen] = gate;
  Tidy(next);
  if (!Right(next) || Cost(next) > Cost(c)) return false;
  c = next;
  return true;
}

void Print(const Circuit& c, int box) {
  // Inputs are named 0 to 5; gate lines: name, inputs, function as a table over them.
  std::printf("box %d inputs %d cost %d gates %d\n", box + 1, arity, Cost(c), c.nodes - kInputs);
  for (int n = kInputs; n < c.nodes; n++) {
    const Gate& g = c.gate[n];
    std::printf("gate %d %d %d %d %d\n", n, g.in[0], g.in[1], g.in[2], g.function);
  }
  for (int o = 0; o < kOutputs; o++) {
    std::printf("output %d %d %d\n", o, c.output[o], c.value[c.output[o]] == wanted[o] ? 0 : 1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "search BOX INPUTS SEED ROUNDS STEPS\n");
    return 2;
  }
  int box = std::atoi(argv[1]) - 1;
  arity = std::atoi(argv[2]);
  uint32_t seed = static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10));
  int rounds = std::atoi(argv[4]), steps = std::atoi(argv[5]);
  if (box < 0 || box > 7 || (arity != 2 && arity != 3)) return 2;
  dice.seed(seed * 64 + static_cast<uint32_t>(box) * 4 + static_cast<uint32_t>(arity));
  for (int o = 0; o < kOutputs; o++) wanted[o] = floatgate::DesBoxOutput(box, o);

  Circuit best;
  for (int i = 0; i < 4; i++) {
    Circuit c;
    if (!BuildMissing(c, kMaxNodes - 1)) return 1;
    if (i == 0 || Cost(c) < Cost(best)) best = c;
  }
  int built = Cost(best);
  for (int round = 0; round < rounds; round++) {
    Circuit c = best;
    if (round > 0) {
      c.output[Below(kOutputs)] = -1;
      if (Below(3) == 0) c.output[Below(kOutputs)] = -1;
      Tidy(c);
      if (!BuildMissing(c, best.nodes + 3)) continue;
    }
    for (int i = 0; i < steps; i++) Step(c);
    if (Cost(c) <= Cost(best)) {
      if (Cost(c) < Cost(best)) std::fprintf(stderr, "round %d: %d\n", round, Cost(c));
      best = c;
    }
  }
  if (!Right(best)) return 1;
  std::fprintf(stderr, "box %d inputs %d seed %u: built %d, walked %d\n", box + 1, arity, seed, built, Cost(best));
  Print(best, box);
  return 0;
}
