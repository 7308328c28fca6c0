// The program `satchel`.
#include "cli/app.h"

int main(int argument_count, char** argument_values) {
  return satchel::cli::run_app(argument_count, argument_values);
}
