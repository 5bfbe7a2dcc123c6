#!/usr/bin/env bash
# Has CodeDeploy move each function's alias to the version that the last apply published, and waits for it.
# Does nothing with deployment_strategy all_at_once. Needs aws and jq, and the environment initialised.
#
#   shift-traffic.sh ENVIRONMENT
set -euo pipefail
environment=${1:?usage: shift-traffic.sh ENVIRONMENT}
cd "$(dirname "$0")/../.."

deployments=$(cargo xtask tf output --env "$environment" --json codedeploy_deployments)
started=()
while read -r deployment; do
  read -r application group function alias target < <(jq -r '[.application, .group, .function, .alias, .target_version] | @tsv' <<<"$deployment")
  current=$(aws lambda get-alias --function-name "$function" --name "$alias" --query FunctionVersion --output text)
  if [ "$current" = "$target" ]; then
    echo "$function: $alias is at version $target already"
    continue
  fi
  revision=$(jq -cn --arg function "$function" --arg alias "$alias" --arg current "$current" --arg target "$target" '
    {version: 0.0, Resources: [{($function): {Type: "AWS::Lambda::Function",
      Properties: {Name: $function, Alias: $alias, CurrentVersion: $current, TargetVersion: $target}}}]} | tojson
    | {revisionType: "AppSpecContent", appSpecContent: {content: .}}')
  id=$(aws deploy create-deployment --application-name "$application" --deployment-group-name "$group" \
    --revision "$revision" --query deploymentId --output text)
  echo "$function: $alias goes from version $current to $target in deployment $id"
  started+=("$id")
done < <(jq -c '.[]' <<<"$deployments")

for id in "${started[@]+"${started[@]}"}"; do
  aws deploy wait deployment-successful --deployment-id "$id" || {
    aws deploy get-deployment --deployment-id "$id" --query 'deploymentInfo.[status,errorInformation.message]' --output text >&2
    echo "deployment $id did not succeed; CodeDeploy has put the alias back" >&2
    exit 1
  }
  echo "deployment $id succeeded"
done
