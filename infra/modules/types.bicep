// The types of parameters that more than one template has.

@export()
@description('Somebody who is granted roles. Prefer groups: people come and go without a deployment.')
@sealed()
type principal = {
  @description('Object id in Entra.')
  principalId: string

  @description('What the object id stands for.')
  principalType: 'Group' | 'ServicePrincipal' | 'User'
}

@export()
@description('App settings that have good defaults in the code (README: settings). What is not given keeps its default. Sealed: a misspelt name is refused, and so is a setting that the templates wire themselves.')
@sealed()
type tuning = {
  CONNECT_TIMEOUT_S: string?
  READ_TIMEOUT_S: string?
  CALL_DEADLINE_S: string?
  LEASE_S: string?
  TICK_BUDGET_S: string?
  MAX_PARALLEL_CALLS: string?
  FIRST_POLL_S: string?
  MAX_POLL_S: string?
  UPGRADE_DEADLINE_H: string?
  NOT_FOUND_GRACE_S: string?
  RETRY_FIRST_S: string?
  RETRY_MAX_S: string?
  RETRY_AFTER_MAX_S: string?
  REFUSAL_FIRST_S: string?
  REFUSAL_MAX_S: string?
  REFUSAL_DEADLINE_D: string?
  REFUSALS_MAX: string?
  GATE_CACHE_S: string?
  AZURE_CALL_DEADLINE_S: string?
  STORAGE_HOLD_S: string?
  CENSUS_S: string?
  TOKEN_RENEW_H: string?
}
