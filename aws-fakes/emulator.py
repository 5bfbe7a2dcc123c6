"""An AWS for the end-to-end tests: MiniStack with what the templates need and it lacks.

    python emulator.py PORT FAULTS [DELAY]

Listens on 127.0.0.1:PORT and ends when its standard input does, so that it never outlives the test that started it.
EMULATOR_DATABASE (HOST:PORT) is what the outputs say of a database, so that a real one can stand there.

FAULTS is a JSON file, read again at every operation: a list of {"type", "operation", "reason"}, and optionally "stack" and
"logical_id". An operation that fits one of them fails for its reason. DELAY is how many seconds each operation takes.

Added to MiniStack:
- resource types without a provisioner, as stand-ins that have an identifier and the attributes that templates read;
- the public parameters that name the current ECS images;
- refusals of AWS that MiniStack does not know: properties that cannot be updated, exports in use;
- operations off the event loop, so that a slow one leaves the API answering and stacks run side by side.
"""

import itertools
import json
import os
import sys
import threading
import time

PORT, FAULTS, DELAY = sys.argv[1], sys.argv[2], float((sys.argv[3:] or ["0"])[0])
REGION = "us-east-1"
os.environ.update(
    BIND_HOST="127.0.0.1",
    GATEWAY_PORT=PORT,
    MINISTACK_REGION=REGION,
    MINISTACK_ACCOUNT_ID="123456789012",
    # No container engine: nothing in the templates needs one, and a test must not start any.
    DOCKER_HOST="unix:///nonexistent",
)
sys.argv = sys.argv[:1]

from ministack.core import responses  # noqa: E402
from ministack.services import cloudformation, iam, ssm  # noqa: E402
from ministack.services.cloudformation import handlers, provisioners, stacks  # noqa: E402

HANDLERS = provisioners._RESOURCE_HANDLERS
counter = itertools.count(1)


def identifier(prefix):
    return f"{prefix}-{next(counter):017x}"


# Type: prefix of identifiers, attributes made from an identifier, properties that cannot be changed in place.
STAND_INS = {
    "AWS::ApplicationAutoScaling::ScalableTarget": (
        "target", lambda it: {"Id": it}, ("ResourceId", "ScalableDimension", "ServiceNamespace")),
    "AWS::ApplicationAutoScaling::ScalingPolicy": (
        "policy", lambda it: {"Arn": f"arn:aws:autoscaling:{REGION}:123456789012:scalingPolicy:{it}"}, ("PolicyName",)),
    "AWS::Backup::BackupSelection": (
        "selection", lambda it: {"Id": it, "SelectionId": it}, ("BackupPlanId", "BackupSelection")),
    "AWS::EC2::EIP": (
        "eip", lambda it: {"AllocationId": it.replace("eip", "eipalloc"), "PublicIp": "203.0.113.9"}, ("Domain",)),
    "AWS::EC2::FlowLog": (
        "fl", lambda it: {"Id": it}, ("ResourceId", "ResourceType", "TrafficType", "LogGroupName")),
    "AWS::EC2::NatGateway": (
        "nat", lambda it: {"NatGatewayId": it}, ("SubnetId", "AllocationId")),
    "AWS::EC2::SecurityGroupEgress": (
        "sgr", lambda it: {"Id": it}, ("GroupId", "IpProtocol", "FromPort", "ToPort", "DestinationSecurityGroupId")),
    "AWS::EC2::SecurityGroupIngress": (
        "sgr", lambda it: {"Id": it}, ("GroupId", "IpProtocol", "FromPort", "ToPort", "SourceSecurityGroupId")),
    "AWS::EC2::Volume": ("vol", lambda it: {"VolumeId": it}, ()),
}
# Properties that can be neither changed nor had by a new resource: AWS refuses the update.
NOT_UPDATABLE = {"AWS::EC2::Volume": ("AvailabilityZone", "Encrypted", "KmsKeyId", "OutpostArn", "SnapshotId")}


def stand_in(prefix, attributes, fixed):
    def create(logical_id, properties, stack_name):
        made = identifier(prefix)
        return made, attributes(made)

    def update(physical_id, old, new, stack_name):
        if any(old.get(key) != new.get(key) for key in fixed):
            return create(None, new, stack_name)
        return physical_id, attributes(physical_id)

    return {"create": create, "update": update, "delete": lambda physical_id, properties: None}


for kind, (prefix, attributes, fixed) in STAND_INS.items():
    if kind not in HANDLERS:
        HANDLERS[kind] = stand_in(prefix, attributes, fixed)
        provisioners._REPLACING_PROPERTIES[kind] = fixed


def refusing(kind, fixed, update):
    def run(physical_id, old, new, *rest, **named):
        if any(old.get(key) != new.get(key) for key in fixed):
            raise ValueError(f"Update to resource type {kind} is not supported.")
        return update(physical_id, old, new, *rest, **named)

    return run


for kind, fixed in NOT_UPDATABLE.items():
    HANDLERS[kind]["update"] = refusing(kind, fixed, HANDLERS[kind]["update"])


# An export that somebody imports keeps its value; MiniStack changes it, and leaves the importer with the old one.
resolve_outputs = stacks._resolve_stack_outputs


def resolve_outputs_in_use(outputs, conditions, resources, values, mappings, stack_name, stack_id):
    resolved, exports = resolve_outputs(outputs, conditions, resources, values, mappings, stack_name, stack_id)
    every = cloudformation._stacks
    for before in (every.get(stack_name) or {}).get("Outputs", []):
        name = before.get("ExportName")
        is_same = name in exports and exports[name]["Value"] == before["OutputValue"]
        users = [
            other
            for other, it in every.items()
            if name and not is_same and other != stack_name and it.get("StackStatus", "").endswith("_COMPLETE")
            and "DELETE" not in it["StackStatus"] and name in handlers._imported_export_names(it, other)
        ]
        if users:
            raise ValueError(f"Export {name} cannot be updated as it is in use by {', '.join(users)}")
    return resolved, exports


stacks._resolve_stack_outputs = resolve_outputs_in_use


# A group is looked up by the users that are put into it, so it has to be a real one.
def create_group(logical_id, properties, stack_name):
    name = properties.get("GroupName") or identifier(f"{stack_name}-{logical_id}")
    path = properties.get("Path", "/")
    iam._create_group({"GroupName": name, "Path": path})
    return name, {"Arn": f"arn:aws:iam::123456789012:group{path}{name}"}


def update_group(physical_id, old, new, stack_name):
    return physical_id, {"Arn": f"arn:aws:iam::123456789012:group{new.get('Path', '/')}{physical_id}"}


if "AWS::IAM::Group" not in HANDLERS:
    HANDLERS["AWS::IAM::Group"] = {
        "create": create_group,
        "update": update_group,
        "delete": lambda physical_id, properties: iam._delete_group({"GroupName": physical_id}),
    }

# An attribute that AWS has and MiniStack leaves out.
create_vpc = HANDLERS["AWS::EC2::VPC"]["create"]


def create_vpc_with_range(logical_id, properties, stack_name):
    made, known = create_vpc(logical_id, properties, stack_name)
    return made, {**known, "CidrBlock": properties.get("CidrBlock")}


HANDLERS["AWS::EC2::VPC"]["create"] = create_vpc_with_range


# Where a test has a database of its own under the name and port that the outputs give.
database = os.environ.get("EMULATOR_DATABASE")
if database:
    create_database = HANDLERS["AWS::RDS::DBInstance"]["create"]

    def create_database_at(logical_id, properties, stack_name):
        made, _ = create_database(logical_id, properties, stack_name)
        instance = provisioners._rds._instances[made]
        host, port = database.rsplit(":", 1)
        instance["Endpoint"].update({"Address": host, "Port": int(port)})
        return made, provisioners._rds_db_instance_attrs(instance)

    HANDLERS["AWS::RDS::DBInstance"]["create"] = create_database_at


# The secret that RDS makes for a password that it manages.
def with_managed_secret(act):
    def run(*arguments, **named):
        made, known = act(*arguments, **named)
        properties = next(it for it in reversed(arguments) if isinstance(it, dict))
        if properties.get("ManageMasterUserPassword"):
            secret = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:rds!db-{made}"
            known = {**(known or {}), "MasterUserSecret.SecretArn": secret}
        return made, known

    return run


for operation in ("create", "update"):
    instances = HANDLERS["AWS::RDS::DBInstance"]
    instances[operation] = with_managed_secret(instances[operation])


def faults():
    with open(FAULTS, encoding="utf-8") as file:
        return json.load(file)


# What each operation's arguments are, for a fault that names a stack or a resource.
ARGUMENTS = {
    "create": ("logical_id", None, "stack"),
    "update": (None, None, None, "stack", "logical_id"),
    "delete": (None, None, "logical_id"),
}


def guarded(kind, operation, act):
    def run(*arguments, **named):
        time.sleep(DELAY)
        known = dict(zip(ARGUMENTS[operation], arguments))
        for fault in faults():
            fits = fault["type"] == kind and fault["operation"] == operation
            if fits and all(fault[it] == known.get(it) for it in ("stack", "logical_id") if it in fault):
                raise ValueError(fault["reason"])
        return act(*arguments, **named)

    return run


# Where the strict rules stand beside the project, everything that AWS refuses is refused.
if os.environ.get("EMULATOR_STRICT"):
    sys.path.insert(0, os.environ["EMULATOR_STRICT"])
    import strict

    strict.install()

for kind, handler in HANDLERS.items():
    for operation in ARGUMENTS:
        if callable(handler.get(operation)):
            handler[operation] = guarded(kind, operation, handler[operation])
stacks._runs_on_worker_thread = lambda kind: True

# AWS owns the names under /aws and publishes these; MiniStack refuses to take them from a client.
ssm._reserved_name_error = lambda name: None
responses.set_request_region(REGION)
for family in ("", "arm64/"):
    name = f"/aws/service/ecs/optimized-ami/amazon-linux-2023/{family}recommended/image_id"
    image = "ami-0f0000000000a4640" if family else "ami-0f00000000000a860"
    ssm._put_parameter({"Name": name, "Type": "String", "Value": image, "Overwrite": True})


def end_with_standard_input():
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    from ministack.app import main

    main()
