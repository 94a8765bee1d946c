-- days, for athena: made by 'make sql' from features/; a change here is lost
WITH names AS (
  SELECT
    principal,
    ARRAY_SORT(ARRAY_AGG(COALESCE(username, ''))) AS usernames,
    MAX(names) AS distinct_usernames
  FROM (
    SELECT
      principal,
      username,
      COUNT(*) OVER (PARTITION BY principal) AS names,
      ROW_NUMBER() OVER (PARTITION BY principal ORDER BY username) AS nth
    FROM (
      SELECT DISTINCT
        principal,
        COALESCE(username, '') AS username
      FROM tallies
      WHERE
        grain = 'alike'
    ) AS each_name
  ) AS numbered
  WHERE
    nth <= 50
  GROUP BY
    principal
), counted AS (
  SELECT
    principal,
    MIN(type) AS type,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)), 0) AS BIGINT) AS requests,
    COUNT(DISTINCT HOUR(ts)) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS active_hours,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(writes, FALSE)), 0) AS BIGINT) AS writes,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(verb = 'list', FALSE)), 0) AS BIGINT) AS lists,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(verb = 'list' AND namespace IS NULL, FALSE)),
      0
    ) AS BIGINT) AS cluster_lists,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(verb = 'get' AND NOT name IS NULL, FALSE)),
      0
    ) AS BIGINT) AS gets,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(verb = 'watch', FALSE)), 0) AS BIGINT) AS watches,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(verb = 'create', FALSE)), 0) AS BIGINT) AS creates,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(verb IN ('update', 'patch'), FALSE)),
      0
    ) AS BIGINT) AS updates,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(resource IS NULL, FALSE)), 0) AS BIGINT) AS url_requests,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(verb = 'delete', FALSE)), 0) AS BIGINT) AS deletes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(verb = 'deletecollection', FALSE)),
      0
    ) AS BIGINT) AS collection_deletes,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(code = 401, FALSE)), 0) AS BIGINT) AS unauthorized,
    COUNT(
      DISTINCT CONCAT(
        CAST(COALESCE(verb, '-') AS VARCHAR),
        CAST(' ' AS VARCHAR),
        CAST(object AS VARCHAR),
        CAST(' ' AS VARCHAR),
        CAST(COALESCE(namespace, '-') AS VARCHAR)
      )
    ) FILTER(WHERE
      NOT left_out AND COALESCE(COALESCE(code IN (401, 403), FALSE), FALSE)) AS distinct_denied_actions,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(code IN (401, 403), FALSE)
          AND COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE),
          FALSE
        )),
      0
    ) AS BIGINT) AS denied_secrets,
    COUNT(DISTINCT address) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS distinct_addresses,
    COUNT(DISTINCT network) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS distinct_networks,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(is_public, FALSE)), 0) AS BIGINT) AS public_requests,
    COUNT(DISTINCT agent) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS distinct_agents,
    COUNT(DISTINCT namespace) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS distinct_namespaces,
    COUNT(DISTINCT object) FILTER(WHERE
      NOT left_out AND COALESCE(NOT resource IS NULL, FALSE)) AS distinct_resources,
    COUNT(
      DISTINCT CONCAT(CAST(COALESCE(verb, '-') AS VARCHAR), CAST(' ' AS VARCHAR), CAST(object AS VARCHAR))
    ) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS distinct_actions,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
          AND verb IN ('get', 'list', 'watch')
          AND COALESCE(code < 400, FALSE),
          FALSE
        )),
      0
    ) AS BIGINT) AS secret_reads,
    COUNT(
      DISTINCT CONCAT(CAST(namespace AS VARCHAR), CAST('/' AS VARCHAR), CAST(name AS VARCHAR))
    ) FILTER(WHERE
      NOT left_out
      AND COALESCE(
        COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
        AND verb IN ('get', 'list', 'watch')
        AND COALESCE(code < 400, FALSE)
        AND NOT name IS NULL,
        FALSE
      )) AS distinct_secrets,
    COUNT(DISTINCT COALESCE(namespace, '-')) FILTER(WHERE
      NOT left_out
      AND COALESCE(
        COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
        AND verb IN ('get', 'list', 'watch'),
        FALSE
      )) AS distinct_secret_namespaces,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
          AND verb = 'list'
          AND COALESCE(code < 400, FALSE),
          FALSE
        )),
      0
    ) AS BIGINT) AS secret_lists,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE) AND writes, FALSE)),
      0
    ) AS BIGINT) AS rbac_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
          AND writes
          AND COALESCE(
            strong_rule
            OR binding_role LIKE '%/cluster-admin'
            OR CASE
              WHEN NOT binding_subjects IS NULL
              THEN COALESCE(CONTAINS(binding_subjects, 'Group/system:masters'), FALSE)
            END,
            FALSE
          ),
          FALSE
        )),
      0
    ) AS BIGINT) AS strong_rbac_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(
            resource = 'pods'
            AND subresource IN ('exec', 'attach', 'portforward', 'ephemeralcontainers'),
            FALSE
          ),
          FALSE
        )),
      0
    ) AS BIGINT) AS execs,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
          AND verb = 'create'
          AND NOT type IN ('control plane', 'node'),
          FALSE
        )),
      0
    ) AS BIGINT) AS token_requests,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(host_access, FALSE)
          AND COALESCE(code < 400, FALSE)
          AND type <> 'control plane',
          FALSE
        )),
      0
    ) AS BIGINT) AS privileged_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(
            resource IN (
              'validatingwebhookconfigurations',
              'mutatingwebhookconfigurations',
              'apiservices'
            ),
            FALSE
          )
          AND writes
          AND type <> 'control plane',
          FALSE
        )),
      0
    ) AS BIGINT) AS hook_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'certificatesigningrequests', FALSE)
          AND writes
          AND NOT type IN ('control plane', 'node'),
          FALSE
        )),
      0
    ) AS BIGINT) AS certificate_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(COALESCE(resource = 'nodes' AND subresource = 'proxy', FALSE), FALSE)),
      0
    ) AS BIGINT) AS node_proxy_requests,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'configmaps' AND namespace = 'kube-system', FALSE)
          AND name = 'aws-auth'
          AND writes,
          FALSE
        )),
      0
    ) AS BIGINT) AS aws_auth_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(NOT impersonated_user IS NULL, FALSE)),
      0
    ) AS BIGINT) AS impersonated_requests,
    COUNT(DISTINCT impersonated_user) FILTER(WHERE
      NOT left_out AND COALESCE(NOT impersonated_user IS NULL, FALSE)) AS distinct_impersonated_users,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
          AND verb = 'create'
          AND code = 403,
          FALSE
        )),
      0
    ) AS BIGINT) AS refused_token_requests,
    CAST(COALESCE(SUM(bytes) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)), 0) AS BIGINT) AS logged_bytes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(writes AND subresource = 'status', FALSE)),
      0
    ) AS BIGINT) AS status_writes,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(discovery, FALSE)), 0) AS BIGINT) AS discovery_requests,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(code = 403, FALSE)), 0) AS BIGINT) AS forbidden_requests,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(code = 404, FALSE)), 0) AS BIGINT) AS not_found_requests,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(code = 403 AND decision = 'forbid', FALSE)),
      0
    ) AS BIGINT) AS forbidden_by_authorization,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(code = 403 AND decision = 'allow', FALSE)),
      0
    ) AS BIGINT) AS forbidden_after_authorization,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(code = 409, FALSE)), 0) AS BIGINT) AS conflicts,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(code = 429, FALSE)), 0) AS BIGINT) AS throttled_requests,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(code >= 500, FALSE)), 0) AS BIGINT) AS server_errors,
    COUNT(
      DISTINCT CONCAT(CAST(COALESCE(verb, '-') AS VARCHAR), CAST(' ' AS VARCHAR), CAST(object AS VARCHAR))
    ) FILTER(WHERE
      NOT left_out AND COALESCE(COALESCE(code IN (401, 403), FALSE), FALSE)) AS distinct_denied_pairs,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          type IN ('workload', 'system account')
          AND username LIKE 'system:serviceaccount:%'
          AND (
            agent LIKE 'kubectl%'
            OR agent IN (
              'curl',
              'wget',
              'httpie',
              'python',
              'python-requests',
              'python-urllib',
              'k9s',
              'lens',
              'postmanruntime'
            )
          ),
          FALSE
        )),
      0
    ) AS BIGINT) AS tool_requests,
    COUNT(DISTINCT authz_role) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS distinct_roles,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'configmaps' AND namespace = 'kube-system', FALSE)
          AND verb IN ('get', 'list', 'watch')
          AND COALESCE(code < 400, FALSE),
          FALSE
        )),
      0
    ) AS BIGINT) AS system_configmap_reads,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'configmaps' AND namespace = 'kube-system', FALSE) AND writes,
          FALSE
        )),
      0
    ) AS BIGINT) AS system_configmap_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE) AND writes AND code = 403,
          FALSE
        )),
      0
    ) AS BIGINT) AS refused_rbac_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
          AND verb = 'create'
          AND NOT type IN ('control plane', 'node')
          AND COALESCE(username, '') <> CONCAT(
            CAST('system:serviceaccount:' AS VARCHAR),
            CAST(COALESCE(namespace, '') AS VARCHAR),
            CAST(':' AS VARCHAR),
            CAST(COALESCE(name, '') AS VARCHAR)
          ),
          FALSE
        )),
      0
    ) AS BIGINT) AS other_token_requests,
    CAST(COALESCE(
      MAX(token_expiration_s) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
          AND verb = 'create',
          FALSE
        )),
      0
    ) AS BIGINT) AS longest_token_s,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
          AND verb = 'create'
          AND token_expiration_s > 86400,
          FALSE
        )),
      0
    ) AS BIGINT) AS long_token_requests,
    COUNT(DISTINCT asked_permission) FILTER(WHERE
      NOT left_out
      AND COALESCE(
        verb = 'create'
        AND COALESCE(
          resource IN ('selfsubjectaccessreviews', 'subjectaccessreviews', 'localsubjectaccessreviews'),
          FALSE
        ),
        FALSE
      )) AS distinct_permissions_asked,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
          AND writes
          AND resource IN ('rolebindings', 'clusterrolebindings')
          AND binds_self,
          FALSE
        )),
      0
    ) AS BIGINT) AS self_bindings,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
          AND writes
          AND resource IN ('rolebindings', 'clusterrolebindings')
          AND binds_everybody,
          FALSE
        )),
      0
    ) AS BIGINT) AS broad_bindings,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
          AND writes
          AND resource IN ('roles', 'clusterroles')
          AND rule_wildcard,
          FALSE
        )),
      0
    ) AS BIGINT) AS wildcard_rules,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
          AND writes
          AND resource IN ('roles', 'clusterroles')
          AND rule_secrets,
          FALSE
        )),
      0
    ) AS BIGINT) AS secret_rules,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
          AND writes
          AND resource IN ('roles', 'clusterroles')
          AND rule_exec,
          FALSE
        )),
      0
    ) AS BIGINT) AS exec_rules,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
          AND writes
          AND resource IN ('roles', 'clusterroles')
          AND rule_rights,
          FALSE
        )),
      0
    ) AS BIGINT) AS rights_rules,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(
            resource IN ('validatingwebhookconfigurations', 'mutatingwebhookconfigurations'),
            FALSE
          )
          AND verb IN ('create', 'update', 'patch')
          AND webhook_outside,
          FALSE
        )),
      0
    ) AS BIGINT) AS outside_hook_writes,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(no_instance, FALSE)), 0) AS BIGINT) AS strange_node_requests
  FROM tallies
  WHERE
    grain = 'alike'
  GROUP BY
    principal
), novel AS (
  SELECT
    principal,
    CAST(CAST(COALESCE(SUM(others_share) FILTER(WHERE
      kind = 'client'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS borrowed_clients,
    CAST(CAST(COALESCE(SUM(others_share) FILTER(WHERE
      kind = 'token_account'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS borrowed_token_accounts,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'denied'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'denied'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_denied_actions,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'denied'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_denied_actions_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'denied'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_denied_actions_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'address'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'address'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_addresses,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'address'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_addresses_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'address'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_addresses_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'network'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'network'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_networks,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'network'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_networks_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'network'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_networks_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'agent'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'agent'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_agents,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'agent'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_agents_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'agent'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_agents_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'hour'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'hour'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_hours,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'hour'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_hours_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'hour'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_hours_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'namespace'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'namespace'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_namespaces,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'namespace'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_namespaces_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'namespace'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_namespaces_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'action'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'action'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_actions,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'action'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_actions_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'action'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_actions_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'write'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'write'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_writes_in_namespaces,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'write'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_writes_in_namespaces_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'write'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_writes_in_namespaces_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'secret'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'secret'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_secrets,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'secret'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_secrets_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'secret'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_secrets_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(
        COALESCE(SUM(principal_share) FILTER(WHERE
          kind = 'secret_namespace'), 0),
        1000000000
      )
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'secret_namespace'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_secret_namespaces,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'secret_namespace'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_secret_namespaces_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'secret_namespace'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_secret_namespaces_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'sensitive'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'sensitive'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_sensitive_actions,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'sensitive'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_sensitive_actions_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'sensitive'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_sensitive_actions_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'entered'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'entered'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_entered_workloads,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'entered'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_entered_workloads_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'entered'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_entered_workloads_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(
        COALESCE(SUM(principal_share) FILTER(WHERE
          kind = 'token_account'), 0),
        1000000000
      )
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'token_account'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_token_accounts,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'token_account'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_token_accounts_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'token_account'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_token_accounts_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'binding'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'binding'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_bindings,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'binding'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_bindings_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'binding'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_bindings_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'node_role'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'node_role'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_node_roles,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'node_role'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_node_roles_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'node_role'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_node_roles_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'image'), 0), 1000000000)
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'image'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_images,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'image'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_images_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'image'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_images_for_cluster,
    CAST(CAST(CASE
      WHEN MAX(newcomer) = 1
      THEN LEAST(
        COALESCE(SUM(principal_share) FILTER(WHERE
          kind = 'mapped_identity'), 0),
        1000000000
      )
      ELSE COALESCE(SUM(principal_share) FILTER(WHERE
        kind = 'mapped_identity'), 0)
    END AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_mapped_identities,
    CAST(CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'mapped_identity'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_mapped_identities_for_type,
    CAST(CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'mapped_identity'), 0) AS BIGINT) / CAST(1000000000 AS BIGINT) AS BIGINT) AS new_mapped_identities_for_cluster
  FROM new_items
  GROUP BY
    principal
)
SELECT
  principal,
  type,
  type AS peer_group,
  usernames,
  distinct_usernames,
  requests,
  COALESCE(peak_minute, 0) AS peak_minute,
  active_hours,
  writes,
  lists,
  cluster_lists,
  gets,
  watches,
  creates,
  updates,
  url_requests,
  COALESCE(self_reviews, 0) AS self_reviews,
  deletes,
  collection_deletes,
  COALESCE(forbidden, 0) AS forbidden,
  unauthorized,
  COALESCE(not_found, 0) AS not_found,
  COALESCE(other_errors, 0) AS other_errors,
  distinct_denied_actions,
  denied_secrets,
  distinct_addresses,
  distinct_networks,
  public_requests,
  COALESCE(borrowed_clients, 0) AS borrowed_clients,
  distinct_agents,
  distinct_namespaces,
  distinct_resources,
  distinct_actions,
  secret_reads,
  distinct_secrets,
  distinct_secret_namespaces,
  secret_lists,
  rbac_writes,
  strong_rbac_writes,
  execs,
  token_requests,
  privileged_writes,
  hook_writes,
  certificate_writes,
  node_proxy_requests,
  aws_auth_writes,
  impersonated_requests,
  distinct_impersonated_users,
  COALESCE(crowd_members, 0) AS crowd_members,
  refused_token_requests,
  COALESCE(borrowed_token_accounts, 0) AS borrowed_token_accounts,
  logged_bytes,
  COALESCE(active_minutes, 0) AS active_minutes,
  COALESCE(median_minute, 0) AS median_minute,
  COALESCE(gaps_s, 0) AS gaps_s,
  COALESCE(gap_squares_s, 0) AS gap_squares_s,
  status_writes,
  discovery_requests,
  forbidden_requests,
  not_found_requests,
  forbidden_by_authorization,
  forbidden_after_authorization,
  conflicts,
  throttled_requests,
  server_errors,
  distinct_denied_pairs,
  COALESCE(regained_actions, 0) AS regained_actions,
  COALESCE(credentials_per_pod, 0) AS credentials_per_pod,
  COALESCE(addresses_per_credential, 0) AS addresses_per_credential,
  tool_requests,
  COALESCE(rare_hour_requests, 0) AS rare_hour_requests,
  COALESCE(rarest_hour, 0) AS rarest_hour,
  distinct_roles,
  system_configmap_reads,
  system_configmap_writes,
  refused_rbac_writes,
  other_token_requests,
  longest_token_s,
  long_token_requests,
  distinct_permissions_asked,
  self_bindings,
  broad_bindings,
  wildcard_rules,
  secret_rules,
  exec_rules,
  rights_rules,
  outside_hook_writes,
  strange_node_requests,
  COALESCE(carried_out_privileges, 0) AS carried_out_privileges,
  COALESCE(new_denied_actions, 0) AS new_denied_actions,
  COALESCE(new_denied_actions_for_type, 0) AS new_denied_actions_for_type,
  COALESCE(new_denied_actions_for_cluster, 0) AS new_denied_actions_for_cluster,
  COALESCE(new_addresses, 0) AS new_addresses,
  COALESCE(new_addresses_for_type, 0) AS new_addresses_for_type,
  COALESCE(new_addresses_for_cluster, 0) AS new_addresses_for_cluster,
  COALESCE(new_networks, 0) AS new_networks,
  COALESCE(new_networks_for_type, 0) AS new_networks_for_type,
  COALESCE(new_networks_for_cluster, 0) AS new_networks_for_cluster,
  COALESCE(new_agents, 0) AS new_agents,
  COALESCE(new_agents_for_type, 0) AS new_agents_for_type,
  COALESCE(new_agents_for_cluster, 0) AS new_agents_for_cluster,
  COALESCE(new_hours, 0) AS new_hours,
  COALESCE(new_hours_for_type, 0) AS new_hours_for_type,
  COALESCE(new_hours_for_cluster, 0) AS new_hours_for_cluster,
  COALESCE(new_namespaces, 0) AS new_namespaces,
  COALESCE(new_namespaces_for_type, 0) AS new_namespaces_for_type,
  COALESCE(new_namespaces_for_cluster, 0) AS new_namespaces_for_cluster,
  COALESCE(new_actions, 0) AS new_actions,
  COALESCE(new_actions_for_type, 0) AS new_actions_for_type,
  COALESCE(new_actions_for_cluster, 0) AS new_actions_for_cluster,
  COALESCE(new_writes_in_namespaces, 0) AS new_writes_in_namespaces,
  COALESCE(new_writes_in_namespaces_for_type, 0) AS new_writes_in_namespaces_for_type,
  COALESCE(new_writes_in_namespaces_for_cluster, 0) AS new_writes_in_namespaces_for_cluster,
  COALESCE(new_secrets, 0) AS new_secrets,
  COALESCE(new_secrets_for_type, 0) AS new_secrets_for_type,
  COALESCE(new_secrets_for_cluster, 0) AS new_secrets_for_cluster,
  COALESCE(new_secret_namespaces, 0) AS new_secret_namespaces,
  COALESCE(new_secret_namespaces_for_type, 0) AS new_secret_namespaces_for_type,
  COALESCE(new_secret_namespaces_for_cluster, 0) AS new_secret_namespaces_for_cluster,
  COALESCE(new_sensitive_actions, 0) AS new_sensitive_actions,
  COALESCE(new_sensitive_actions_for_type, 0) AS new_sensitive_actions_for_type,
  COALESCE(new_sensitive_actions_for_cluster, 0) AS new_sensitive_actions_for_cluster,
  COALESCE(new_entered_workloads, 0) AS new_entered_workloads,
  COALESCE(new_entered_workloads_for_type, 0) AS new_entered_workloads_for_type,
  COALESCE(new_entered_workloads_for_cluster, 0) AS new_entered_workloads_for_cluster,
  COALESCE(new_token_accounts, 0) AS new_token_accounts,
  COALESCE(new_token_accounts_for_type, 0) AS new_token_accounts_for_type,
  COALESCE(new_token_accounts_for_cluster, 0) AS new_token_accounts_for_cluster,
  COALESCE(new_bindings, 0) AS new_bindings,
  COALESCE(new_bindings_for_type, 0) AS new_bindings_for_type,
  COALESCE(new_bindings_for_cluster, 0) AS new_bindings_for_cluster,
  COALESCE(new_node_roles, 0) AS new_node_roles,
  COALESCE(new_node_roles_for_type, 0) AS new_node_roles_for_type,
  COALESCE(new_node_roles_for_cluster, 0) AS new_node_roles_for_cluster,
  COALESCE(new_images, 0) AS new_images,
  COALESCE(new_images_for_type, 0) AS new_images_for_type,
  COALESCE(new_images_for_cluster, 0) AS new_images_for_cluster,
  COALESCE(new_mapped_identities, 0) AS new_mapped_identities,
  COALESCE(new_mapped_identities_for_type, 0) AS new_mapped_identities_for_type,
  COALESCE(new_mapped_identities_for_cluster, 0) AS new_mapped_identities_for_cluster
FROM counted
JOIN names
  USING (principal)
LEFT JOIN novel
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(MAX(n) AS BIGINT) AS peak_minute,
    CAST(COUNT(*) AS BIGINT) AS active_minutes,
    CAST(MAX(n) FILTER(WHERE
      2 * nth - minutes IN (1, 2)) AS BIGINT) AS median_minute,
    CAST(SUM(span_s + pause_s) AS BIGINT) AS gaps_s,
    CAST(SUM(
      CAST(span_s * span_s AS BIGINT) / CAST(GREATEST(n - 1, 1) AS BIGINT) + pause_s * pause_s
    ) AS BIGINT) AS gap_squares_s
  FROM (
    SELECT
      principal,
      minute,
      n,
      nth,
      minutes,
      DATE_DIFF('SECOND', DATE_TRUNC('SECOND', first_s), DATE_TRUNC('SECOND', last_s)) AS span_s,
      CASE
        WHEN previous_s IS NULL
        THEN 0
        ELSE LEAST(
          DATE_DIFF('SECOND', DATE_TRUNC('SECOND', previous_s), DATE_TRUNC('SECOND', first_s)),
          86400
        )
      END AS pause_s
    FROM (
      SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY principal ORDER BY n DESC, minute) AS nth,
        COUNT(*) OVER (PARTITION BY principal) AS minutes,
        LAG(last_s) OVER (PARTITION BY principal ORDER BY minute) AS previous_s
      FROM (
        SELECT
          principal,
          unit AS minute,
          n,
          DATE_TRUNC('SECOND', ts) AS first_s,
          DATE_TRUNC('SECOND', last_ts) AS last_s
        FROM tallies
        WHERE
          grain = 'minute' AND NOT left_out
      )
    )
  ) AS minutes_rows
  GROUP BY
    principal
) AS of_minutes
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(SUM(requests) AS BIGINT) AS rare_hour_requests,
    CAST(CAST(MAX(tenths) AS BIGINT) / CAST(10 AS BIGINT) AS BIGINT) AS rarest_hour
  FROM (
    SELECT
      *
    FROM hours
  ) AS hours_rows
  GROUP BY
    principal
) AS of_hours
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(COUNT(*) AS BIGINT) AS regained_actions
  FROM (
    SELECT DISTINCT
      r.principal,
      r.thing
    FROM (
      SELECT
        principal,
        CONCAT(
          CAST(COALESCE(verb, '-') AS VARCHAR),
          CAST(' ' AS VARCHAR),
          CAST(object AS VARCHAR),
          CAST(' ' AS VARCHAR),
          CAST(COALESCE(namespace, '-') AS VARCHAR)
        ) AS thing,
        unit,
        MIN(ts) AS first_ts,
        MAX(last_ts) AS last_ts
      FROM tallies
      WHERE
        grain = 'alike' AND NOT left_out AND code = 403
      GROUP BY
        1,
        2,
        3
    ) AS r
    JOIN (
      SELECT
        principal,
        CONCAT(
          CAST(COALESCE(verb, '-') AS VARCHAR),
          CAST(' ' AS VARCHAR),
          CAST(object AS VARCHAR),
          CAST(' ' AS VARCHAR),
          CAST(COALESCE(namespace, '-') AS VARCHAR)
        ) AS thing,
        unit,
        MIN(ts) AS first_ts,
        MAX(last_ts) AS last_ts
      FROM tallies
      WHERE
        grain = 'alike' AND NOT left_out AND COALESCE(code < 400, FALSE)
      GROUP BY
        1,
        2,
        3
    ) AS a
      ON a.principal = r.principal AND a.thing = r.thing
    WHERE
      a.last_ts > r.first_ts
      AND DATE_DIFF(
        'SECOND',
        DATE_TRUNC('SECOND', DATE_TRUNC('SECOND', r.last_ts)),
        DATE_TRUNC('SECOND', DATE_TRUNC('SECOND', a.first_ts))
      ) <= 3600
  ) AS regained_rows
  GROUP BY
    principal
) AS of_regained
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(SUM(n) AS BIGINT) AS carried_out_privileges
  FROM (
    WITH owned AS (
      SELECT
        principal AS maker,
        namespace,
        object AS made,
        owner AS made_from,
        owner,
        verb = 'create' AND host_access AS bold,
        CAST(SUM(n) AS BIGINT) AS n,
        MAX(last_ts) AS last_ts
      FROM tallies
      WHERE
        grain = 'alike'
        AND NOT left_out
        AND NOT owner IS NULL
        AND COALESCE(code < 400, FALSE)
      GROUP BY
        principal,
        namespace,
        object,
        owner,
        verb = 'create' AND host_access
    ), written AS (
      SELECT
        t.principal,
        t.type,
        t.namespace,
        o.owner AS thing,
        t.owner,
        MIN(t.ts) AS ts
      FROM tallies AS t
      JOIN (
        SELECT DISTINCT
          namespace,
          owner
        FROM owned
      ) AS o
        ON o.namespace = t.namespace
        AND o.owner = CONCAT(CAST(t.resource AS VARCHAR), CAST('/' AS VARCHAR), CAST(t.name AS VARCHAR))
      WHERE
        t.grain = 'alike'
        AND t.verb IN ('create', 'update', 'patch')
        AND t.subresource IS NULL
        AND t.code < 400
      GROUP BY
        t.principal,
        t.type,
        t.namespace,
        o.owner,
        t.owner
    ), parents AS (
      SELECT
        *
      FROM (
        SELECT
          m.maker,
          m.namespace,
          m.made,
          m.made_from,
          m.n,
          m.last_ts,
          w.principal,
          w.type,
          w.owner,
          ROW_NUMBER() OVER (
            PARTITION BY m.maker, m.namespace, m.made, m.made_from
            ORDER BY CASE WHEN w.type = 'control plane' THEN 1 ELSE 0 END, w.ts DESC, w.principal, w.owner
          ) AS nth
        FROM (
          SELECT
            *
          FROM owned
          WHERE
            bold
        ) AS m
        JOIN written AS w
          ON w.namespace = m.namespace AND w.thing = m.owner AND w.ts <= m.last_ts
      ) AS p
      WHERE
        nth = 1
    ), grandparents AS (
      SELECT
        *
      FROM (
        SELECT
          m.maker,
          m.namespace,
          m.made,
          m.made_from,
          m.n,
          m.last_ts,
          w.principal,
          w.type,
          w.owner,
          ROW_NUMBER() OVER (
            PARTITION BY m.maker, m.namespace, m.made, m.made_from
            ORDER BY CASE WHEN w.type = 'control plane' THEN 1 ELSE 0 END, w.ts DESC, w.principal, w.owner
          ) AS nth
        FROM (
          SELECT
            *
          FROM parents
          WHERE
            NOT owner IS NULL
        ) AS m
        JOIN written AS w
          ON w.namespace = m.namespace AND w.thing = m.owner AND w.ts <= m.last_ts
      ) AS g
      WHERE
        nth = 1 AND type <> 'control plane'
    )
    SELECT
      COALESCE(g.principal, p.principal) AS principal,
      p.maker,
      p.namespace,
      p.made,
      p.made_from,
      p.n
    FROM parents AS p
    LEFT JOIN grandparents AS g
      ON g.maker = p.maker
      AND g.namespace = p.namespace
      AND g.made = p.made
      AND g.made_from = p.made_from
    WHERE
      (
        NOT g.principal IS NULL OR p.type <> 'control plane'
      )
      AND COALESCE(g.principal, p.principal) <> p.maker
  ) AS carried_rows
  GROUP BY
    principal
) AS of_carried
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(MAX(n) AS BIGINT) AS credentials_per_pod
  FROM (
    SELECT
      principal,
      pod_name,
      COUNT(DISTINCT credential_id) AS n
    FROM tallies
    WHERE
      grain = 'alike'
      AND NOT left_out
      AND NOT pod_name IS NULL
      AND NOT credential_id IS NULL
    GROUP BY
      principal,
      pod_name
  ) AS pods_rows
  GROUP BY
    principal
) AS of_pods
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(MAX(n) AS BIGINT) AS addresses_per_credential
  FROM (
    SELECT
      principal,
      credential_id,
      COUNT(DISTINCT address) AS n
    FROM tallies
    WHERE
      grain = 'alike'
      AND NOT left_out
      AND NOT credential_id IS NULL
      AND NOT credential_id IS NULL
    GROUP BY
      principal,
      credential_id
  ) AS credentials_rows
  GROUP BY
    principal
) AS of_credentials
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(COUNT(*) AS BIGINT) AS crowd_members
  FROM (
    SELECT
      principal,
      member
    FROM crowds
  ) AS crowds_rows
  GROUP BY
    principal
) AS of_crowds
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(SUM(LEAST(n, 5)) AS BIGINT) AS self_reviews
  FROM (
    SELECT
      principal,
      SUM(n) AS n
    FROM tallies
    WHERE
      grain = 'alike'
      AND NOT left_out
      AND COALESCE(
        COALESCE(
          resource IN ('selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews'),
          FALSE
        ),
        FALSE
      )
    GROUP BY
      principal,
      CONCAT(
        CAST(COALESCE(verb, '-') AS VARCHAR),
        CAST(' ' AS VARCHAR),
        CAST(object AS VARCHAR),
        CAST(' ' AS VARCHAR),
        CAST(COALESCE(namespace, '-') AS VARCHAR),
        CAST('/' AS VARCHAR),
        CAST(COALESCE(name, '*') AS VARCHAR)
      )
  )
  GROUP BY
    principal
)
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(SUM(LEAST(n, 5)) AS BIGINT) AS forbidden
  FROM (
    SELECT
      principal,
      SUM(n) AS n
    FROM tallies
    WHERE
      grain = 'alike' AND NOT left_out AND COALESCE(code = 403, FALSE)
    GROUP BY
      principal,
      CONCAT(
        CAST(COALESCE(verb, '-') AS VARCHAR),
        CAST(' ' AS VARCHAR),
        CAST(object AS VARCHAR),
        CAST(' ' AS VARCHAR),
        CAST(COALESCE(namespace, '-') AS VARCHAR),
        CAST('/' AS VARCHAR),
        CAST(COALESCE(name, '*') AS VARCHAR)
      )
  )
  GROUP BY
    principal
)
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(SUM(LEAST(n, 5)) AS BIGINT) AS not_found
  FROM (
    SELECT
      principal,
      SUM(n) AS n
    FROM tallies
    WHERE
      grain = 'alike' AND NOT left_out AND COALESCE(code = 404, FALSE)
    GROUP BY
      principal,
      CONCAT(
        CAST(COALESCE(verb, '-') AS VARCHAR),
        CAST(' ' AS VARCHAR),
        CAST(object AS VARCHAR),
        CAST(' ' AS VARCHAR),
        CAST(COALESCE(namespace, '-') AS VARCHAR),
        CAST('/' AS VARCHAR),
        CAST(COALESCE(name, '*') AS VARCHAR)
      )
  )
  GROUP BY
    principal
)
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(SUM(LEAST(n, 5)) AS BIGINT) AS other_errors
  FROM (
    SELECT
      principal,
      SUM(n) AS n
    FROM tallies
    WHERE
      grain = 'alike'
      AND NOT left_out
      AND COALESCE(COALESCE(code >= 400 AND NOT code IN (401, 403, 404), FALSE), FALSE)
    GROUP BY
      principal,
      CONCAT(
        CAST(COALESCE(verb, '-') AS VARCHAR),
        CAST(' ' AS VARCHAR),
        CAST(object AS VARCHAR),
        CAST(' ' AS VARCHAR),
        CAST(COALESCE(namespace, '-') AS VARCHAR),
        CAST('/' AS VARCHAR),
        CAST(COALESCE(name, '*') AS VARCHAR)
      )
  )
  GROUP BY
    principal
)
  USING (principal)
ORDER BY
  principal
