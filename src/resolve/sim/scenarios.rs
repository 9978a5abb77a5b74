//! One conversation a test, played in virtual time. The names of the tests begin with the scenario
//! they hold: search list (`se`), retry (`rt`), truncation and TCP (`tr`), validation (`rv`),
//! aliases (`cn`), special uses and the address policy (`su`), cache (`cc`), errors (`er`), life
//! cycle (`ca`), the operating system's lookup and routes (`os`, `sy`).

mod address_policy;
mod aliases;
mod bursts;
mod caching;
mod dead_routes;
mod errors;
mod figures;
mod lenient;
mod life_cycle;
mod mixed_case;
mod order;
mod retry;
mod routes;
mod search_list;
mod system;
mod tcp;
mod validation;
