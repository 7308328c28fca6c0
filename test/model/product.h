// The product's tree functions, put to the laws and held against the reference model.
#pragma once

#include "store/tree_store.h"
#include "test/model/laws.h"

namespace satchel::model {

/// `layer` as a root record in `trees`, link table and all. Throws std::runtime_error.
store::Root to_product(store::TreeStore& trees, const Layer& layer);
/// The layer behind a root record. Throws std::runtime_error also if pages or link table are not
/// the ones that to_product() makes: there is one encoding of each layer.
Layer to_model(store::TreeStore& trees, const store::Root& root);

/// Each function calls the product and the model with the same arguments, and throws
/// std::runtime_error if the answers differ. `trees` outlives them.
Functions product_functions(store::TreeStore& trees);

}  // namespace satchel::model
