"""What people do to a project between two deployments. Each function makes one change and says which,
or gives nothing where there is nothing to change like that."""

from project import LAYERS, OF_ID, SEED_TYPES


def change(project):
    """One to three of them; what was changed, in words."""
    done = []
    for _ in range(project.chance.randint(1, 3)):
        said = project.chance.choice(CHANGES)(project)
        if said:
            done.append(said)
            project.settle()
    return done or [_data(project)]


def _pick(project, *kinds):
    found = [node for node in project.nodes.values() if not kinds or node.kind in kinds]
    return project.chance.choice(found) if found else None


def _model(project):
    return _pick(project, "table", "view", "incremental", "ephemeral")


def _data(project):
    node, chance = _pick(project, "seed"), project.chance
    for row in chance.sample(node.rows, min(len(node.rows), 2)):
        place = chance.randrange(len(row))
        if place:
            row[place] = project.value(list(node.columns.values())[place - 1])
    if chance.random() < 0.3 and len(node.rows) > 2:
        node.rows.pop(chance.randrange(len(node.rows)))
    project.add_row(node)
    return f"other rows in {node.name}"


def _add_column(project):
    node = _model(project)
    if node:
        project.add_column(node)
    return node and f"another column in {node.name}"


def _add_kept_column(project):
    node = _pick(project, "snapshot", "incremental")
    if node:
        project.add_column(node)
    return node and f"another column in {node.name}"


def _remove_column(project):
    node = _model(project)
    if not node or len(node.columns) < 2:
        return None
    name = project.chance.choice(list(node.columns))
    del node.columns[name]
    project.needs_refresh |= node.kind == "incremental"
    return f"{node.name} without {name}"


def _retype_column(project):
    node = _model(project)
    if not node:
        return None
    name = project.chance.choice(list(node.columns))
    other = [type_ for type_ in OF_ID if type_ != node.columns[name].type]
    node.columns[name].type, node.columns[name].of = project.chance.choice(other), ""
    node.columns[name].is_text = False
    project.needs_refresh |= node.kind == "incremental"
    return f"{node.name}.{name} is a {node.columns[name].type}"


def _change_seed_columns(project):
    node, chance = _pick(project, "seed"), project.chance
    name = chance.choice(list(node.columns))
    node.columns[name] = chance.choice(SEED_TYPES)
    place = list(node.columns).index(name) + 1
    for row in node.rows:
        row[place] = project.value(node.columns[name])
    project.needs_refresh = True
    return f"{node.name}.{name} is {node.columns[name]}"


def _reorder_columns(project):
    node = _pick(project, "table", "view")
    if not node:
        return None
    names = list(node.columns)
    project.chance.shuffle(names)
    node.columns = {name: node.columns[name] for name in names}
    return f"{node.name} in another order"


def _change_kind(project):
    node = _model(project)
    if not node:
        return None
    old, node.kind = node.kind, project.pick_kind(node.layer)
    if node.kind == "snapshot":
        node.kind = "table"
    project.needs_refresh |= node.kind == "incremental" != old
    return f"{node.name} is no {old} but {node.kind}" if node.kind != old else None


def _add_model(project):
    return f"{project.add().name} is new"


def _delete(project):
    """Its children read its parents instead."""
    node = _model(project) or _pick(project, "snapshot")
    if not node or sum(other.kind != "seed" for other in project.nodes.values()) < 2:
        return None
    for child in project.children(node.name):
        child.parents = [node.parents[0] if name == node.name else name for name in child.parents]
    del project.nodes[node.name]
    return f"{node.name} is gone"


def _rename(project):
    node = _model(project)
    if not node:
        return None
    old, node.name = node.name, project.fresh_name(node.kind)
    node.alias = node.name
    project.nodes = {other.name: other for other in project.nodes.values()}
    for child in project.children(old):
        child.parents = [node.name if name == old else name for name in child.parents]
    for test in project.tests.values():
        test.node = node.name if test.node == old else test.node
    return f"{old} is now {node.name}"


def _move(project):
    """Into another schema, where it may read what it reads and be read by those who do."""
    node = _model(project)
    if not node:
        return None
    below = max((LAYERS.get(project.nodes[name].layer, 2) for name in node.parents), default=0)
    above = min((LAYERS.get(child.layer, 2) for child in project.children(node.name)), default=3)
    layers = [layer for layer in ("mart", "utils", "") if below <= 2 <= above and layer != node.layer]
    if not layers or LAYERS.get(node.layer, 2) != 2:
        return None
    node.layer = project.chance.choice(layers)
    return f"{node.name} in {node.layer or 'no schema'}"


def _tag(project):
    node = _model(project)
    if not node or not project.tags:
        return None
    node.tags = () if node.tags else project.tags[:1]
    return f"{node.name} tagged {node.tags}"


CHANGES = (_data, _data, _add_column, _add_kept_column, _remove_column, _retype_column, _change_seed_columns,
           _reorder_columns, _change_kind, _change_kind, _add_model, _delete, _rename, _move, _tag)
