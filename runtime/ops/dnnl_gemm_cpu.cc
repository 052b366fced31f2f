// The only file that knows oneDNN: its v2 interface (Debian 12) and its v3 interface (Debian 13).
#include <dnnl.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "runtime/ops/gemm.h"

namespace galley::ops {
namespace {

// What a primitive is made for. Strides are part of it, addresses are not.
struct Key {
  std::array<int64_t, 3> sizes{};  // m, n, k
  std::array<int64_t, 5> strides{};
  std::array<DType, 3> types{};  // a and b, c, bias
  bool bias = false;
  bool accumulate = false;
  bool operator==(const Key&) const = default;
};

struct Product {
  dnnl::matmul primitive;
  dnnl::memory a, b, c, bias, scratch;
  int64_t scratch_bytes = 0;
};

// One a stream. A model has a few dozen shapes, so a list that is searched is enough.
struct Library {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  // No product: oneDNN has nothing that fits.
  std::vector<std::pair<Key, std::optional<Product>>> products;
};

dnnl::memory::data_type TypeOf(DType t) {
  return t == DType::kF32 ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;
}

dnnl::memory::desc Describe(int64_t rows, int64_t cols, DType type, int64_t row_stride, int64_t col_stride) {
  return {{rows, cols}, TypeOf(type), dnnl::memory::dims{row_stride, col_stride}};
}

std::optional<Product> Make(Library& library, const Key& key) {
  auto [m, n, k] = key.sizes;
  auto a = Describe(m, k, key.types[0], key.strides[0], key.strides[1]);
  auto b = Describe(k, n, key.types[0], key.strides[2], key.strides[3]);
  auto c = Describe(m, n, key.types[1], key.strides[4], 1);
  auto bias = key.bias ? Describe(1, n, key.types[2], n, 1) : dnnl::memory::desc();
  dnnl::primitive_attr attr;
  // From the stream's Scratch, which the plan counts; the library's own would be memory that nobody counts.
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (key.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attr.set_post_ops(sum);
  }
  try {
#if DNNL_VERSION_MAJOR >= 3
    auto pd = key.bias ? dnnl::matmul::primitive_desc(library.engine, a, b, bias, c, attr)
                       : dnnl::matmul::primitive_desc(library.engine, a, b, c, attr);
#else
    auto pd = key.bias ? dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, bias, c), attr, library.engine)
                       : dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, c), attr, library.engine);
#endif
    // The batch-reduce kernels keep to the scratchpad they are given. The older ones, which is what a
    // processor without AVX-512 gets, take memory from the heap in every call.
    std::string name = pd.impl_info_str();
    if (name.rfind("brg", 0) != 0) return std::nullopt;
    Product out;
    out.primitive = dnnl::matmul(pd);
    out.a = dnnl::memory(a, library.engine, DNNL_MEMORY_NONE);
    out.b = dnnl::memory(b, library.engine, DNNL_MEMORY_NONE);
    out.c = dnnl::memory(c, library.engine, DNNL_MEMORY_NONE);
    if (key.bias) out.bias = dnnl::memory(bias, library.engine, DNNL_MEMORY_NONE);
    out.scratch = dnnl::memory(pd.scratchpad_desc(), library.engine, DNNL_MEMORY_NONE);
    out.scratch_bytes = static_cast<int64_t>(pd.scratchpad_desc().get_size());
    return out;
  } catch (const dnnl::error&) {
    return std::nullopt;  // not supported on this processor
  }
}

Library& LibraryOf(CpuStream& stream) {
  if (stream.library_state() == nullptr) stream.library_state() = std::make_shared<Library>();
  return *static_cast<Library*>(stream.library_state().get());
}

std::optional<Product>& Find(Library& library, const Key& key) {
  for (auto& [known, product] : library.products) {
    if (known == key) return product;
  }
  return library.products.emplace_back(key, Make(library, key)).second;
}

void Bind(const dnnl::memory& memory, const void* data) {
  CHECK_EQ(dnnl_memory_set_data_handle(memory.get(), const_cast<void*>(data)), dnnl_success);
}

// A vector that is not contiguous: a stride beside a size of one is ambiguous, and oneDNN 3
// takes it for a contiguous one.
bool SpreadVector(const View& v) {
  return (v.shape[0] == 1 && v.shape[1] > 1 && v.strides[1] != 1) ||
         (v.shape[1] == 1 && v.shape[0] > 1 && v.strides[0] != 1);
}

}  // namespace

bool DnnlGemm(CpuStream& stream, View a, View b, View bias, bool accumulate, View c) {
  if (SpreadVector(a) || SpreadVector(b) || SpreadVector(c)) return false;
#ifdef _OPENMP
  // oneDNN splits its work by OpenMP's default of the calling thread.
  if (omp_get_max_threads() != stream.threads()) omp_set_num_threads(stream.threads());
#endif
  Library& library = LibraryOf(stream);
  Key key;
  key.sizes = {c.shape[0], c.shape[1], a.shape[1]};
  key.strides = {a.strides[0], a.strides[1], b.strides[0], b.strides[1], c.strides[0]};
  key.types = {a.dtype, c.dtype, bias.dtype};
  key.bias = bias.data != nullptr;
  key.accumulate = accumulate;
  std::optional<Product>& product = Find(library, key);
  if (!product) return false;

  Scratch scratch(stream);
  Bind(product->a, a.data);
  Bind(product->b, b.data);
  Bind(product->c, c.data);
  Bind(product->scratch, scratch.Bytes(product->scratch_bytes));
  std::array<dnnl_exec_arg_t, 5> args = {{{DNNL_ARG_SRC, product->a.get()},
                                          {DNNL_ARG_WEIGHTS, product->b.get()},
                                          {DNNL_ARG_DST, product->c.get()},
                                          {DNNL_ARG_SCRATCHPAD, product->scratch.get()},
                                          {DNNL_ARG_BIAS, nullptr}}};
  int count = 4;
  if (key.bias) {
    Bind(product->bias, bias.data);
    args[4].memory = product->bias.get();
    count = 5;
  }
  // The C call: the C++ one builds a vector of the arguments on the heap.
  CHECK_EQ(dnnl_primitive_execute(product->primitive.get(), library.stream.get(), count, args.data()),
           dnnl_success);
  CHECK_EQ(dnnl_stream_wait(library.stream.get()), dnnl_success);
  return true;
}

}  // namespace galley::ops
